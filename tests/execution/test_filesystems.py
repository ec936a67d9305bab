"""What a storage URI may say, who may open it, and what is told where it cannot be opened."""

import json
import socket
import time

import pytest

from harness.core.errors import HarnessError
from harness.execution.storage import Storage


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("s4://bucket/x", "did you mean 's3://'"),
        ("S3://bucket/x", "did you mean 's3://'"),
        ("s3:/bucket/x", "give a path or s3://bucket/prefix"),
        ("gs://name:hidden-secret@bucket/x", "no such kind of storage"),
        ("s3://", "s3://bucket/prefix"),
        ("s3://bucket/../x", "s3://bucket/prefix"),
        ("s3://bucket/x?endpoint_overide=hidden-secret", "did you mean 'endpoint_override'"),
        ("s3://bucket/x?endpoint_override=http://me:hidden-secret@host", "http://host:port"),
        ("s3://AKIA:hidden-secret@bucket/x", "AWS_ACCESS_KEY_ID"),
        ("s3://AKIA:hidden/secret@bucket/x", "AWS_ACCESS_KEY_ID"),
        ("", "give a path"),
    ],
)
def test_a_malformed_uri_is_told_in_one_line_that_repeats_no_secret(uri, told):
    with pytest.raises(HarnessError) as caught:
        Storage.open(uri)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_path_below_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(HarnessError, match="Not a directory"):
        Storage.open(str(tmp_path / "file/x"))


def test_a_relative_path_and_a_file_uri_are_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Storage.open("runs").uri == Storage.open(f"file://{tmp_path}/runs").uri
    assert Storage.open("runs").uri == f"{tmp_path}/runs"


def test_the_endpoint_may_come_from_the_environment(s3_server, s3_credentials, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint)
    Storage.open(f"s3://{s3_server.new_bucket()}").probe()


def test_an_unknown_bucket(s3_server, s3_credentials):
    with pytest.raises(HarnessError, match=r"s3://nobody/x at \S+: no such bucket$"):
        Storage.open(f"s3://nobody/x?endpoint_override={s3_server.endpoint}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize("kind", ["refusing", "silent", "unknown"])
def test_an_endpoint_out_of_reach_fails_soon_and_in_one_line(s3_credentials, kind):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = {
            "refusing": f"127.0.0.1:{free_port()}",
            "silent": f"127.0.0.1:{silent.getsockname()[1]}",
            "unknown": "no-such-host.invalid:9000",
        }[kind]
        started = time.monotonic()
        with pytest.raises(HarnessError, match="not reachable") as caught:
            Storage.open(f"s3://bucket/x?endpoint_override=http://{host}")
    assert time.monotonic() - started < 15
    assert "\n" not in str(caught.value)
    assert host in str(caught.value)


@pytest.fixture
def guard(s3_server, s3_credentials, monkeypatch):
    """From now on the server checks who asks; the key and secret of a user who may do all in S3."""
    from moto import settings
    from moto.iam.models import iam_backends

    iam = iam_backends["123456789012"]["aws"]
    iam.create_user("us-east-1", "lab")
    key = iam.create_access_key("lab")
    may = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    iam.put_user_policy("lab", "all", json.dumps({"Version": "2012-10-17", "Statement": [may]}))
    monkeypatch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
    yield key.access_key_id, key.secret_access_key
    iam.reset()


def test_credentials_are_needed_and_never_told(s3_uri, guard, monkeypatch):
    key_id, secret = guard
    for wrong_id, wrong_secret in (("AKIAWRONG", "wrong-secret"), (key_id, "wrong-secret")):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", wrong_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", wrong_secret)
        with pytest.raises(HarnessError, match="credentials are not accepted") as caught:
            Storage.open(s3_uri)
        assert wrong_id not in str(caught.value)
        assert wrong_secret not in str(caught.value)
        assert "\n" not in str(caught.value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    Storage.open(s3_uri).probe()


@pytest.mark.parametrize(
    ("action", "told"),
    [("PutObject", "writing"), ("GetObject", "reading"), ("DeleteObject", "removing")],
)
def test_the_probe_tells_which_step_is_not_permitted(s3_uri, guard, monkeypatch, action, told):
    from moto.iam.models import iam_backends

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", guard[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", guard[1])
    storage = Storage.open(s3_uri)
    may_not = {"Effect": "Deny", "Action": f"s3:{action}", "Resource": "*"}
    iam_backends["123456789012"]["aws"].put_user_policy(
        "lab", "less", json.dumps({"Version": "2012-10-17", "Statement": [may_not]})
    )
    with pytest.raises(HarnessError, match=rf"{told} \.probe-\w+: no perm"):
        storage.probe()
