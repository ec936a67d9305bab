"""Boards of searches that others have made: it needs no Ray."""

import pytest

import harness
from harness.core.errors import HarnessError
from harness.core.files import read_json, write_json
from tests.search.made_search import SPACE, make_search

NUM_TRIALS = 6


@pytest.fixture(scope="module")
def lab(toy_store, tmp_path_factory):
    """A results folder with two searches of one store; two trials of the first were pruned."""
    results = tmp_path_factory.mktemp("boards") / "results"
    for name, pruned in (("first", range(4, 6)), ("second", range(0))):
        folder = results / "searches" / name
        make_search(folder, num_trials=NUM_TRIALS, pruned=pruned, store=toy_store.fingerprint)
        plan = read_json(folder / "search.json") | {"store": str(toy_store.path)}
        write_json(folder / "search.json", plan)
    return results


def test_a_trial_is_a_row_with_what_was_searched(lab):
    frame = harness.open_search("first", results=lab).frame()
    assert len(frame) == NUM_TRIALS
    assert frame["outcome"].tolist() == ["completed"] * 4 + ["pruned"] * 2
    assert frame["score"][:4].is_monotonic_decreasing
    assert set(SPACE.space) <= set(frame.columns)
    default = frame[frame["trial"].str.startswith("t0000")].iloc[0]
    assert default["optim.lr"] == SPACE.default_recipe.optim.lr
    assert default["seconds"] == 6 * 90
    assert default["num_epochs"] == 6


def test_the_best_is_a_completed_run_that_can_be_asked(lab):
    board = harness.open_search("first", "second", results=lab)
    frame = board.frame()
    best = board.best
    assert best is not None
    assert best.score == frame.loc[frame["outcome"] == "completed", "score"].max()
    assert best.epochs()["val/auroc_macro"].iloc[-1] == best.score
    with pytest.raises(HarnessError, match="it has no record yet"):
        _ = best.record
    assert harness.open_run(best.name, results=lab) == best


def test_without_names_it_is_all_searches_and_one_of_them_is_taken_out(lab):
    board = harness.open_search(results=lab)
    assert board.names == ("first", "second")
    assert board["second"].frame()["search"].unique().tolist() == ["second"]
    with pytest.raises(HarnessError, match=r"no search 'secnd' here \(did you mean 'second'\?\)"):
        _ = board["secnd"]
    with pytest.raises(HarnessError, match="no search 'third'"):
        harness.open_search("third", results=lab)


def test_a_finished_search_is_returned_as_a_board(toy_store, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "results" / "searches" / "toy"
    make_search(folder, num_trials=2, store=toy_store.fingerprint)
    board = harness.search(
        SPACE, name="toy", data=toy_store, trials=2, results=tmp_path / "results"
    )
    assert board.names == ("toy",)
    assert len(board.frame()) == 2
    assert list(harness.winners("toy", results=tmp_path / "results")["score"]) == [
        pytest.approx(score) for score in board.frame()["score"]
    ]


def test_pictures_are_figures_that_a_notebook_shows(lab):
    board = harness.open_search("first", "second", results=lab)
    figure = board.figure("history")
    assert figure is not None
    assert "searches first, second" in figure.get_suptitle()
    assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(HarnessError, match=r"no figure 'histry' \(did you mean 'history'\?\)"):
        board.figure("histry")


def test_a_notebook_shows_the_best_trials(lab):
    shown = harness.open_search("first", results=lab)._repr_html_()
    assert "optim.lr" in shown
    assert shown.count("<tr") == NUM_TRIALS + 1


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"trials": "many"}, "trials many: give a number such as 60"),
        ({"set": {"seed": 3}}, "set seed: give it by seed"),
        ({"set": {"optim.rate": 3}}, "set: unknown parameter 'optim.rate'"),
        ({"name": "../up"}, "name '../up': begin with a letter"),
        ({"sampler": "tpi"}, "sampler"),
    ],
)
def test_mistakes_are_told_in_the_words_of_the_call(toy_store, tmp_path, asked, told):
    options = {"data": toy_store, "trials": 2, "results": tmp_path} | asked
    with pytest.raises(HarnessError) as error:
        harness.search("dannynet-mini", **options)
    assert told in str(error.value)
    assert "--" not in str(error.value)


def test_a_search_of_nothing_is_a_mistake(toy_store):
    with pytest.raises(HarnessError, match="name a search space"):
        harness.search(data=toy_store, trials=2)


def test_the_shipped_spaces_are_told():
    frame = harness.spaces()
    assert {"dannynet", "chexnet", "vit_small"} <= set(frame["space"])
    assert frame.columns.tolist() == ["space", "parameter", "range", "default", "when"]
