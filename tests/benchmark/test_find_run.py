import shutil

import pytest

from harness.benchmark.find_run import find_run, store_of
from harness.core.errors import HarnessError
from harness.core.run_dir import RunDirectory


@pytest.fixture
def results(trained_results, tmp_path):
    """A search with two trials, and a benchmark with one run."""
    results = shutil.copytree(trained_results, tmp_path / "results")
    first = next((results / "searches" / "dannynet").glob("t0000-*"))
    copy(first, first.with_name("t0001-abcdef"), seed=1)
    copy(first, results / "nih" / "runs" / "dannynet-tuned-s0-123456", seed=2)
    return results


def copy(run, path, *, seed):
    path.mkdir(parents=True)
    recipe = RunDirectory(run).recipe.with_values({"seed": seed})
    RunDirectory(path).write_recipe(recipe)


def test_a_run_is_found_by_its_names_its_id_and_their_beginnings(results):
    run = results / "searches" / "dannynet" / "t0001-abcdef"
    run_id = RunDirectory(run).recipe.run_id
    words = (
        str(run), "dannynet/t0001-abcdef", "t0001-abcdef", "dannynet/t0001", "t0001", run_id,
        run_id[:8],
    )  # fmt: skip
    for word in words:
        found = find_run(word, results)
        assert found.directory.path == run
        assert found.name == "dannynet/t0001-abcdef"


def test_a_run_of_a_benchmark_is_found(results):
    for word in ("nih/dannynet-tuned-s0-123456", "nih/dannynet-tuned", "dannynet-tuned"):
        found = find_run(word, results)
        assert (found.group, found.directory.path.name) == ("nih", "dannynet-tuned-s0-123456")


def test_a_folder_elsewhere_is_a_run_of_its_own(results, tmp_path, monkeypatch):
    copy(results / "searches" / "dannynet" / "t0001-abcdef", tmp_path / "mine", seed=5)
    monkeypatch.chdir(tmp_path)
    for word in ("mine", "./mine", str(tmp_path / "mine")):
        assert find_run(word, results).name == "mine"


def test_a_name_of_several_is_refused_with_all_of_them(results):
    with pytest.raises(HarnessError, match=r"several runs.*t0000-\w+, dannynet/t0001-abcdef; give"):
        find_run("dannynet/t", results)


@pytest.mark.parametrize("word", ["t0007", "dannynet/t0002", "abc", "", "/"])
def test_what_names_no_run_is_refused(results, word):
    with pytest.raises(HarnessError, match="neither a run directory nor a run"):
        find_run(word, results)


def test_a_search_is_no_run(results):
    with pytest.raises(HarnessError, match="name a run of it: nih/dannynet-tuned-s0-123456"):
        find_run("nih", results)


def test_a_search_is_no_run_though_a_final_run_begins_with_its_name(results):
    with pytest.raises(
        HarnessError, match=r"dannynet: a search .* name a run of it: dannynet/t0000"
    ):
        find_run("dannynet", results)


def test_a_near_name_is_suggested(results):
    with pytest.raises(HarnessError, match="did you mean 'dannynet/t0001-abcdef'"):
        find_run("danynet/t0001-abcdef", results)


def test_the_store_is_where_the_search_had_it(results, trained_results):
    assert store_of(find_run("t0001", results), results) == trained_results.parent / "store"


def test_the_store_is_looked_for_in_the_results(results, trained_results):
    found = find_run("nih/dannynet-tuned", results)
    with pytest.raises(HarnessError, match="say where it lies: --data STORE"):
        store_of(found, results)
    shutil.copytree(trained_results.parent / "store", results / "stores" / "mine")
    assert store_of(found, results) == results / "stores" / "mine"


def test_a_run_of_its_own_says_where_its_store_is(results, trained_results, tmp_path):
    copy(results / "searches" / "dannynet" / "t0001-abcdef", tmp_path / "mine", seed=5)
    found = find_run(str(tmp_path / "mine"), results)
    assert found.directory.store is None
    found.directory.write_store(trained_results.parent / "store")
    assert store_of(found, results) == trained_results.parent / "store"
    found.directory.write_store(tmp_path / "gone")
    with pytest.raises(HarnessError, match="say where it lies: --data STORE"):
        store_of(found, results)


def test_a_store_that_is_given_must_be_the_runs_own(results, trained_results, toy_store):
    found = find_run("t0001", results)
    own = trained_results.parent / "store"
    assert store_of(found, results, own) == own
    with pytest.raises(HarnessError, match="belongs to the store"):
        store_of(found, results, toy_store.path)
