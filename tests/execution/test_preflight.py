"""Every node of a cluster of three is looked at, whatever keeps it busy, late or broken."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

import pytest
import ray
from ray.cluster_utils import Cluster

from harness.core.errors import HarnessError
from harness.execution import preflight as preflight_module
from harness.execution.checks import RESULTS, Check, Needs
from harness.execution.preflight import (
    DRIVER,
    Answer,
    ask_nodes,
    check_clock,
    hear_nodes,
    look_around,
    look_from_driver,
    preflight,
    raise_failed,
)
from harness.execution.ray_session import Resources, fit_resources, num_slots

NUM_NODES = 3


@pytest.fixture(scope="module")
def cluster():
    """A head of one CPU, a node of two, and one that says it has 64 GPUs."""
    ray.shutdown()  # another file's
    temp_dir = tempfile.mkdtemp(prefix="ray")  # a socket's path has at most 107 bytes
    quiet = {"include_dashboard": False, "object_store_memory": 80 * 2**20}
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "temp_dir": temp_dir} | quiet
    )
    cluster.add_node(num_cpus=2, object_store_memory=80 * 2**20)
    cluster.add_node(num_cpus=1, num_gpus=64, object_store_memory=80 * 2**20)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    yield cluster
    ray.shutdown()
    cluster.shutdown()
    shutil.rmtree(temp_dir, ignore_errors=True)


def node_ids():
    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


def by_node(checks, what):
    return {check.node: check for check in checks if check.what == what}


def test_all_nodes_are_looked_at_even_where_all_cpus_are_taken(cluster, toy_store, tmp_path):
    @ray.remote(num_cpus=2)
    class Busy:
        def work(self):
            return True

    busy = Busy.remote()
    assert ray.get(busy.work.remote())
    needs = Needs(store=toy_store.path, fingerprint=toy_store.fingerprint, results=tmp_path)
    checks = preflight(needs, Resources(cpus=1, gpus=0))
    ray.kill(busy)
    for what in ("versions", "image store", RESULTS, "Ray's own disk", "clock"):
        nodes = by_node(checks, what).keys() - {DRIVER}
        assert len(nodes) == NUM_NODES, what
    failed = [check for check in checks if not check.is_ok]
    assert [check.what for check in failed] == ["GPUs"]
    assert "Ray counts 64 GPU" in failed[0].detail
    [room] = by_node(checks, "room").values()
    assert room.detail == "4 trials of 1 CPU and 0 GPU at once on 3 node(s)"
    assert list(tmp_path.iterdir()) == [], "the tokens are gone"


def test_each_task_runs_on_the_node_that_it_is_about(cluster):
    def look(question):
        here = ray.get_runtime_context().get_node_id()
        is_there = here == question.node_id
        return Answer([Check(what="here", node=here, is_ok=is_there, detail="")], time.time())

    checks = hear_nodes(ask_nodes(Needs(), look=look), 60)
    assert by_node(checks, "here").keys() == node_ids()
    assert all(check.is_ok for check in checks)


def test_a_node_that_is_late_or_fails_is_a_failed_check_of_its_own(cluster):
    late, broken, _ = sorted(node_ids())

    def look(question):
        if question.node_id == late:
            time.sleep(60)
        if question.node_id == broken:
            raise ModuleNotFoundError("No module named 'harness'")
        return Answer([], time.time())

    asked = ask_nodes(Needs(), look=look)
    names = {question.node_id: question.node for question in asked.values()}
    begin_s = time.monotonic()
    checks = hear_nodes(asked, 8)
    assert time.monotonic() - begin_s < 20
    answers = by_node(checks, "answers")
    assert answers.keys() == {names[late], names[broken]}
    assert answers[names[late]].detail == "no answer within 8 s"
    assert "No module named 'harness'" in answers[names[broken]].detail
    assert not any(check.is_ok for check in answers.values())
    assert len(by_node(checks, "clock")) == 1


def test_what_a_node_only_says_it_wrote_is_not_believed(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(preflight_module, "TOKEN_WAIT_S", 0.1)

    def look(question):
        said = Check(what=RESULTS, node=question.node, is_ok=True, detail="written")
        return Answer([said], time.time())

    checks = hear_nodes(ask_nodes(Needs(results=tmp_path), "token", look), 60)
    found = by_node(checks, RESULTS).values()
    assert len(found) == NUM_NODES
    assert {check.word for check in found} == {"FAIL"}
    assert all("not seen by the driver" in check.detail for check in found)


def test_another_store_is_told_of_by_every_node(cluster, toy_store):
    def look(question):
        return look_around(replace(question, num_gpus=0))  # which takes an import of torch

    needs = Needs(store=toy_store.path, fingerprint="f" * 64)
    with pytest.raises(HarnessError) as error:
        raise_failed(hear_nodes(ask_nodes(needs, look=look), 60))
    head, *lines = str(error.value).splitlines()
    assert head == "3 checks failed before the start:"
    assert len(lines) == len(set(lines)) == NUM_NODES
    assert all("the driver's is ffffffffffff" in line for line in lines)


def test_slots_count_whole_trials_node_by_node(cluster):
    assert num_slots(Resources(cpus=1, gpus=0)) == 4
    assert num_slots(Resources(cpus=2, gpus=0)) == 1
    assert num_slots(Resources(cpus=1, gpus=1)) == 1
    assert fit_resources(Resources(cpus=1)) == Resources(cpus=1, gpus=1)
    with pytest.raises(HarnessError, match=r"asks for 2 CPU and 1 GPU.*largest of 3 Ray nodes"):
        fit_resources(Resources(cpus=2, gpus=1))


NODE = """
import json, pathlib, sys
from harness.execution.checks import Needs, own_versions
from harness.execution.preflight import Question, look_around
store, folder = map(pathlib.Path, sys.argv[1:])
answer = look_around(Question(
    needs=Needs(store=store), token="", versions=own_versions(), node="n1", node_id="1",
    asked_s=0, num_gpus=0, ray_folder=folder,
))
print(json.dumps([
    [check.word for check in answer.checks],
    [name for name in ("torch", "timm", "ray", "optuna") if name in sys.modules],
]))
"""


def test_a_node_without_gpus_imports_no_torch(toy_store, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", NODE, str(toy_store.path), str(tmp_path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    words, imported = json.loads(done.stdout)
    assert words == ["ok", "ok", "ok"]
    assert imported == []


def test_the_driver_alone(toy_store, tmp_path):
    results = tmp_path / "results"
    needs = Needs(store=toy_store.path, results=results)
    checks = look_from_driver(needs)
    assert {check.what for check in checks} == {RESULTS, "image store", "disk"}
    raise_failed(checks)
    assert not results.exists(), "nothing was there before"
    results.write_text("a file")
    [failed] = [check for check in look_from_driver(needs) if not check.is_ok]
    assert failed.what == RESULTS


@pytest.mark.parametrize(("offset_s", "word"), [(0, "ok"), (30, "ok"), (300, "warning")])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_clock_is_off_by_what_the_asking_cannot_explain(offset_s, word, sign):
    asked_s = time.time() - 2
    check = check_clock(asked_s + 1 + sign * offset_s, asked_s, node="n1")
    assert (check.word, check.is_ok) == (word, True)
