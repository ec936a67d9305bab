"""`aws.yaml` through Ray's own schema, defaults and checks; no cloud is asked."""

import pytest

from tests.cluster.cluster_files import ROOT, yaml_of


@pytest.fixture(scope="module")
def prepared():
    util = pytest.importorskip("ray.autoscaler._private.util")
    return util.prepare_config(yaml_of("aws.yaml"))


def test_ray_takes_it(prepared):
    from ray.autoscaler._private.util import validate_config

    validate_config(prepared)


def test_ray_refuses_what_is_misspelt():
    util = pytest.importorskip("ray.autoscaler._private.util")
    config = yaml_of("aws.yaml") | {"idle_timeout_minuets": 10}
    with pytest.raises(Exception, match="idle_timeout_minuets"):
        util.validate_config(util.prepare_config(config))


def test_workers_are_spot_and_go_away_when_idle(prepared):
    head, gpu = (prepared["available_node_types"][name] for name in ("head", "gpu"))
    assert (gpu["min_workers"], gpu["max_workers"]) == (0, prepared["max_workers"])
    assert gpu["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"
    assert "InstanceMarketOptions" not in head["node_config"]  # the head drives: on demand
    assert head["resources"]["GPU"] == 0
    assert gpu["resources"]["GPU"] >= 1
    assert 0 < prepared["idle_timeout_minutes"] <= 30
    assert prepared["provider"]["cache_stopped_nodes"] is False


def test_token_goes_to_every_node_and_the_dashboard_to_none(prepared):
    assert prepared["file_mounts"]["/home/ubuntu/.ray/auth_token"] == "~/.ray/auth_token"
    assert any("RAY_AUTH_MODE=token" in command for command in prepared["worker_setup_commands"])
    (start,) = (c for c in prepared["head_start_ray_commands"] if "--head" in c)
    assert "--dashboard-host=127.0.0.1" in start


def test_what_is_copied_to_the_nodes_is_code(prepared):
    """rsync takes no `.gitignore` with a `!` in it, so the folders to leave out are named here."""
    assert "rsync_filter" not in yaml_of("aws.yaml")
    assert {".git", ".venv", "results", "cluster/.env"} <= set(prepared["rsync_exclude"])
    assert prepared["file_mounts"]["/home/ubuntu/harness"] == "."
    assert (ROOT / "pyproject.toml").is_file()  # `ray up` is typed in the root


def test_setup_commands_are_shell(prepared):
    import subprocess

    for name in ("head_setup_commands", "worker_setup_commands", "head_start_ray_commands"):
        for command in prepared[name]:
            subprocess.run(["bash", "-n", "-c", command], check=True)
