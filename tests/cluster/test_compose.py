"""`compose.yaml` through the Compose schema; its variables, ports and the bucket script."""

import json
import re
import shutil
import subprocess
from importlib.resources import files

import pytest

from tests.cluster.cluster_files import CLUSTER, ROOT, text_of, yaml_of

VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(?::[-?][^}]*)?\}")


@pytest.fixture(scope="module")
def compose():
    return yaml_of("compose.yaml")


@pytest.fixture(scope="module")
def example() -> dict[str, str]:
    lines = text_of(".env.example").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_compose_schema(compose):
    pytest.importorskip("check_jsonschema", reason="the schema comes with check-jsonschema")
    jsonschema = pytest.importorskip("jsonschema")
    schemas = files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.validate(compose, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(compose | {"servces": {}}, schema)


def test_docker_compose_takes_it(tmp_path):
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not there")
    filled = re.sub(r"^(\w+)=$", r"\1=x", text_of(".env.example"), flags=re.MULTILINE)
    (tmp_path / "env").write_text(filled, encoding="utf-8")
    file = str(CLUSTER / "compose.yaml")
    subprocess.run(
        [docker, "compose", "--env-file", str(tmp_path / "env"), "-f", file, "config", "--quiet"],
        check=True,
    )


def test_variables_are_those_of_the_example(example):
    used = set(VARIABLE.findall(text_of("compose.yaml")))
    assert used == set(example)


def test_passwords_are_empty_in_the_example_and_asked_for(example):
    for name in ("POSTGRES_PASSWORD", "S3_SECRET_ACCESS_KEY"):
        assert example[name] == ""
        uses = re.findall(rf"\$\{{{name}([^}}]*)\}}", text_of("compose.yaml"))
        assert uses
        assert all(use.startswith(":?") for use in uses)  # refuses to start without


def test_git_ignores_the_real_one():
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    ask = ["git", "-C", str(ROOT), "check-ignore", "--quiet"]
    assert subprocess.run([*ask, "cluster/.env"], check=False).returncode == 0
    assert subprocess.run([*ask, "cluster/.env.example"], check=False).returncode == 1


def test_ports_are_bound_to_this_machine(compose, example):
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("${BIND_ADDRESS:-127.0.0.1}:") for port in ports)
    assert example["BIND_ADDRESS"] == "127.0.0.1"
    assert "ports" not in compose["services"]["database"]


def test_images_are_pinned_and_data_is_kept(compose):
    images = [service["image"] for service in compose["services"].values() if "image" in service]
    assert all(re.search(r":v?\d", image) for image in images), images
    mounted = {
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
    }
    assert mounted == set(compose["volumes"])


def test_bucket_script_makes_what_is_missing_and_may_run_again(compose, monkeypatch):
    """The script as it stands in the file, with a client that keeps buckets in a set."""
    import sys
    from types import ModuleType

    buckets = {"mlflow"}

    class Client:
        def list_buckets(self):
            return {"Buckets": [{"Name": name} for name in buckets]}

        def create_bucket(self, *, Bucket):
            assert Bucket not in buckets
            buckets.add(Bucket)

    boto3, botocore, exceptions = (
        ModuleType(n) for n in ("boto3", "botocore", "botocore.exceptions")
    )
    boto3.client = lambda service: Client()
    exceptions.ConnectionError = ConnectionError
    for module in (boto3, botocore, exceptions):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    script = compose["services"]["buckets"]["command"][-1]
    for _ in range(2):
        exec(compile(script, "compose.yaml", "exec"), {})
    assert buckets == {"mlflow", "harness"}


def test_mlflow_knows_the_variables_and_options(compose):
    mlflow_cli = pytest.importorskip("mlflow.cli")
    from mlflow import environment_variables

    service = compose["services"]["mlflow"]
    server = mlflow_cli.cli.commands["server"]
    names = {param.envvar for param in server.params if param.envvar}
    names |= {name for name in dir(environment_variables) if name.startswith("MLFLOW_")}
    ours = {name for name in service["environment"] if name.startswith("MLFLOW_")}
    assert ours <= names
    assert service["command"][:2] == ["mlflow", "server"]
    options = {option for param in server.params for option in param.opts}
    assert {word for word in service["command"] if word.startswith("--")} <= options
