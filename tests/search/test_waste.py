"""What may go of a results folder, and what is out of reach of it."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.locks import held
from harness.core.recipe import Recipe
from harness.core.records import FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.search.housekeeping import remove
from harness.search.waste import find_kept, find_waste, jobs_in, reserved


def make_run(path: Path, outcome: Outcome, **status: object) -> RunDirectory:
    run = RunDirectory(path)
    path.mkdir(parents=True)
    run.write_recipe(Recipe())
    number = path.name[1:5]
    score = 1 - int(number) / 100 if number.isdigit() else 0.5
    (path / "record.json").write_text(json.dumps({"metrics": {"best/auroc_macro": score}}))
    run.best_weights.write_bytes(b"w" * 100)
    run.checkpoint.write_bytes(b"c" * 10)
    run.set_status(Status(outcome=outcome, **status))
    return run


@pytest.fixture
def results(tmp_path) -> Path:
    """A search of seven completed trials, falling in score, and a benchmark of two runs."""
    results = tmp_path / "results"
    for number in range(7):
        make_run(results / "searches" / "toy" / f"t{number:04}-abcdef", Outcome.COMPLETED)
    make_run(results / "nih" / "runs" / "toy-s0-abcdef", Outcome.COMPLETED)
    make_run(
        results / "nih" / "runs" / "toy-s1-abcdef",
        Outcome.FAILED,
        reason=FailureReason.DIVERGED,
    )
    for scratch in (results / "searches" / "toy" / "ray", results / "nih" / "runs" / "ray"):
        (scratch / "deep").mkdir(parents=True)
        (scratch / "deep" / "state.json").write_text("12345")
    return results


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def weights(results: Path) -> list[str]:
    return sorted(path.parent.name for path in results.rglob("best.safetensors"))


def test_all_that_may_go_is_found_and_nothing_else(results):
    found = {
        (str(item.path.relative_to(results)), item.num_bytes)
        for item in find_waste(jobs_in(results))
    }
    trials = [f"searches/toy/t{number:04}-abcdef" for number in range(7)]
    finals = [f"nih/runs/toy-s{k}-abcdef" for k in range(2)]
    assert found == {
        *((f"{folder}/last.ckpt", 10) for folder in trials + finals),
        *((f"{folder}/best.safetensors", 100) for folder in trials[5:]),
        ("searches/toy/ray", 5),
        ("nih/runs/ray", 5),
    }


def test_final_runs_keep_their_weights_and_the_rest_is_gone_once_removed(results):
    remove(find_waste(jobs_in(results)))
    assert weights(results) == [
        *(f"t{number:04}-abcdef" for number in range(5)), "toy-s0-abcdef", "toy-s1-abcdef",
    ]  # fmt: skip
    assert find_waste(jobs_in(results)) == []
    assert not list(results.rglob("ray"))


def kept_weights(results: Path, keep: int | None) -> int:
    gone = {item.path for item in find_waste(jobs_in(results, "toy"), keep=keep)}
    return sum(path not in gone for path in (results / "searches").rglob("best.safetensors"))


def test_the_plan_says_how_many_keep_their_weights_and_the_command_overrules_it(results):
    plan = results / "searches" / "toy" / "search.json"
    assert kept_weights(results, None) == 5
    plan.write_text('{"name": "toy"}')
    assert kept_weights(results, None) == 5
    plan.write_text('{"keep": 2}')
    assert kept_weights(results, None) == 2
    assert kept_weights(results, 6) == 6
    assert kept_weights(results, 0) == 0


@pytest.mark.parametrize("plan", ["{", '{"keep": "all"}', '{"keep": -1}', "[]"])
def test_a_plan_that_cannot_be_read_costs_no_weights(results, plan):
    (results / "searches" / "toy" / "search.json").write_text(plan)
    assert kept_weights(results, None) == 7


def test_temporary_files_go_after_an_hour(results):
    run = results / "searches" / "toy" / "t0000-abcdef"
    for name in (".last.ckpt.71.partial.ckpt", ".record.json.8.partial.json", "a.partial"):
        for age_s, parent in ((4000, run), (3000, run.parent)):
            path = parent / name
            path.write_text("half")
            os.utime(path, (time.time() - age_s,) * 2)
    found = [item for item in find_waste(jobs_in(results)) if "half-written" in item.why]
    assert {item.path.name for item in found} == {
        ".last.ckpt.71.partial.ckpt", ".record.json.8.partial.json",
    }  # fmt: skip
    assert {item.path.parent for item in found} == {run}


def test_an_empty_trial_folder_goes_and_one_with_something_in_it_stays(results):
    empty = results / "searches" / "toy" / "t0090-abcdef"
    strange = results / "searches" / "toy" / "t0091-abcdef"
    for path in (empty, strange):
        path.mkdir()
    (strange / "best.safetensors").write_text("who knows")
    remove(find_waste(jobs_in(results)))
    assert not empty.exists()
    assert (strange / "best.safetensors").exists()


def test_jobs_that_run_are_left_alone_and_cannot_begin_meanwhile(results):
    search, benchmark = jobs_in(results)
    assert [str(search), str(benchmark)] == ["search toy", "benchmark nih"]
    with held(results / "nih" / "runs" / "lock"):
        assert benchmark.is_running
    with held(results / "searches" / "toy" / "lock"):
        assert search.is_running
        assert not benchmark.is_running
        with reserved([search, benchmark]) as idle:
            assert idle == [benchmark]
            assert benchmark.is_running  # by us
    assert not search.is_running
    assert not benchmark.is_running


def test_the_lock_of_a_killed_process_holds_nothing(results):
    lock = results / "searches" / "toy" / "lock"
    holder = subprocess.Popen(["flock", lock, "sleep", "60"], start_new_session=True)
    try:
        search = jobs_in(results)[0]
        deadline = time.monotonic() + 10
        while not search.is_running:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.killpg(holder.pid, 9)
        holder.wait()
    while search.is_running:  # `sleep` has the lock too, and may be a moment longer in dying
        assert time.monotonic() < deadline + 10
        time.sleep(0.02)


def test_no_link_leads_out_of_the_results(results, tmp_path):
    outside = tmp_path / "outside"
    shutil.copytree(results, outside, symlinks=True)
    before = tree(outside)
    shutil.rmtree(results / "searches" / "toy" / "ray")
    links = {
        results / "searches" / "other": outside / "searches" / "toy",
        results / "searches" / "toy" / "ray": outside / "searches" / "toy" / "ray",
        results / "searches" / "toy" / "t0050-abcdef": outside / "searches/toy/t0006-abcdef",
        results / "bench": outside / "nih",
        results / "nih" / "runs" / "toy-s2-abcdef": outside / "nih" / "runs" / "toy-s1-abcdef",
        results / "nih" / "runs" / "ray" / "deep" / "link": outside / "nih",
    }
    for link, target in links.items():
        link.symlink_to(target)
    remove(find_waste(jobs_in(results), keep=0, with_resumable=True))
    assert tree(outside) == before
    assert not (results / "nih" / "runs" / "ray").exists()
    (results / "searches").rename(tmp_path / "moved")
    (results / "searches").symlink_to(tmp_path / "moved")
    assert [str(job) for job in jobs_in(results)] == ["benchmark nih"]


def test_why_each_file_stays(results):
    trials = results / "searches" / "toy"
    make_run(trials / "t0007-abcdef", Outcome.PREEMPTED)
    make_run(trials / "t0008-abcdef", Outcome.FAILED, reason=FailureReason.DISK)
    (trials / "t0006-abcdef" / "keep").touch()
    jobs = jobs_in(results)
    kept = find_kept(jobs, find_waste(jobs, keep=1))
    reasons = {(item.path.parent.name[:5], item.why.partition(",")[0]) for item in kept}
    assert reasons == {
        ("t0000", "the best trials of each search"),
        ("t0006", "runs marked with a file `keep`"),
        ("t0007", "unfinished runs"),
        ("t0008", "failed runs that can go on from them (--all frees them)"),
        ("toy-s", "final runs of benchmarks"),
    }


def test_names_that_are_not_there(results, tmp_path):
    with pytest.raises(HarnessError, match="did you mean 'toy'"):
        jobs_in(results, "tyo")
    with pytest.raises(HarnessError, match="no such folder"):
        jobs_in(tmp_path / "nowhere")
