"""A real S3 server on the loopback interface, which the tests of storage talk to."""

import logging
import uuid
from dataclasses import dataclass

import pytest
from pyarrow import fs

from harness.execution.storage import Storage
from tests.execution.stored_runs import epoch, write

KEY_ID, SECRET = "harness-test-key", "harness-test-secret"


@dataclass
class S3Server:
    """A server that can be stopped and started again on its port; what it stores stays."""

    port: int = 0
    running: object = None

    def start(self) -> None:
        from moto.server import ThreadedMotoServer

        self.running = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self.running.start()
        _, self.port = self.running.get_host_and_port()

    def stop(self) -> None:
        self.running.stop()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options) -> fs.FileSystem:
        return fs.S3FileSystem(
            access_key=KEY_ID,
            secret_key=SECRET,
            endpoint_override=f"127.0.0.1:{self.port}",
            scheme="http",
            region="us-east-1",
            **options,
        )

    def new_bucket(self) -> str:
        bucket = f"runs-{uuid.uuid4().hex[:8]}"
        self.client(allow_bucket_creation=True).create_dir(bucket)
        return bucket


@pytest.fixture(scope="session")
def s3_server():
    pytest.importorskip("moto.server", reason="the S3 server of the dev dependencies is absent")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = S3Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def s3_credentials(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture
def s3_uri(s3_server, s3_credentials) -> str:
    """A prefix of a new bucket."""
    return f"s3://{s3_server.new_bucket()}/lab/runs?endpoint_override={s3_server.endpoint}"


@pytest.fixture(params=["folder", "s3"])
def storage_uri(request, tmp_path) -> str:
    """Both kinds of storage, empty."""
    if request.param == "folder":
        return str(tmp_path / "storage")
    return request.getfixturevalue("s3_uri")


@pytest.fixture
def storage(storage_uri):
    return Storage.open(storage_uri)


@pytest.fixture
def run_dir(tmp_path):
    write(tmp_path / "run", epoch(1))
    return tmp_path / "run"
