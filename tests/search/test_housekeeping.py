"""Which weights go when trials end, what never goes, and that a kill costs nothing."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.locks import held
from harness.core.recipe import Recipe
from harness.core.records import FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.search.housekeeping import Housekeeper, Waste, rank_of, remove, status_of

SMALL_FILES = ("recipe.json", "metrics.jsonl", "thresholds.json", "predictions_val.npz")


def keep_best(search_dir: Path, *, keep: int) -> list[Waste]:
    """What a search does with what an earlier call has left."""
    return Housekeeper(search_dir, keep=keep).tidy()


def make_trial(
    search_dir: Path,
    number: int,
    outcome: Outcome,
    *,
    score: float | None = None,
    reason: FailureReason | None = None,
) -> RunDirectory:
    """A trial's folder with everything in it that a trial can leave."""
    run = RunDirectory(search_dir / f"t{number:04}-abcdef")
    run.path.mkdir(parents=True)
    for name in SMALL_FILES:
        (run.path / name).write_text("small")
    run.write_recipe(Recipe())
    run.best_weights.write_bytes(b"w" * 100)
    run.checkpoint.write_bytes(b"c" * 10)
    if score is not None:
        (run.path / "record.json").write_text(json.dumps({"metrics": {"best/auroc_macro": score}}))
    run.set_status(Status(outcome=outcome, reason=reason))
    return run


def completed(search_dir: Path, scores: dict[int, float]) -> list[RunDirectory]:
    return [
        make_trial(search_dir, number, Outcome.COMPLETED, score=score)
        for number, score in scores.items()
    ]


def holders(search_dir: Path, name: str = "best.safetensors") -> list[int]:
    """Numbers of the trials that hold a file."""
    return sorted(int(path.parent.name[1:5]) for path in search_dir.glob(f"*/{name}"))


def test_the_best_two_of_five_keep_their_weights_ties_by_name(tmp_path):
    completed(tmp_path, {0: 0.7, 1: 0.9, 2: 0.8, 3: 0.8, 4: 0.6})
    freed = keep_best(tmp_path, keep=2)
    assert holders(tmp_path) == [1, 2]
    assert holders(tmp_path, "last.ckpt") == []
    assert sum(item.num_bytes for item in freed) == 3 * 100 + 5 * 10
    assert {item.why for item in freed} == {
        "weights of completed trials beyond the best 2",
        "checkpoints of runs that have ended",
    }
    for name in SMALL_FILES:
        assert holders(tmp_path, name) == [0, 1, 2, 3, 4]
    assert keep_best(tmp_path, keep=2) == []


def test_what_did_not_complete_loses_its_weights_and_what_is_not_final_loses_nothing(tmp_path):
    for number, outcome in enumerate(Outcome):
        reason = FailureReason.DIVERGED if outcome is Outcome.FAILED else None
        make_trial(tmp_path, number, outcome, score=0.5, reason=reason)
    keep_best(tmp_path, keep=1)
    stay = [
        number
        for number, outcome in enumerate(Outcome)
        if outcome not in (Outcome.PRUNED, Outcome.FAILED, Outcome.CANCELLED)
    ]
    assert holders(tmp_path) == stay
    unfinished = [number for number in stay if list(Outcome)[number] is not Outcome.COMPLETED]
    assert holders(tmp_path, "last.ckpt") == unfinished
    assert len(unfinished) == 3


@pytest.mark.parametrize("reason", FailureReason)
def test_a_failed_trial_that_can_go_on_keeps_what_it_goes_on_from(tmp_path, reason):
    run = make_trial(tmp_path, 0, Outcome.FAILED, reason=reason)
    keep_best(tmp_path, keep=5)
    can_go_on = reason not in (FailureReason.DIVERGED, FailureReason.DATA)
    assert run.checkpoint.exists() == run.best_weights.exists() == can_go_on
    remove(Housekeeper(tmp_path, keep=5).find(with_resumable=True))
    assert not run.checkpoint.exists()
    assert not run.best_weights.exists()


def test_a_run_marked_keep_keeps_everything(tmp_path):
    worst, _ = completed(tmp_path, {0: 0.1, 1: 0.9})
    (worst.path / "keep").touch()
    assert [item.path.parent.name[:5] for item in keep_best(tmp_path, keep=1)] == ["t0001"]
    assert holders(tmp_path) == [0, 1]
    assert worst.checkpoint.exists()
    (worst.path / "keep").unlink()
    keep_best(tmp_path, keep=1)
    assert holders(tmp_path) == [1]


def test_none_may_be_kept_but_not_fewer(tmp_path):
    completed(tmp_path, {0: 0.1, 1: 0.9})
    keep_best(tmp_path, keep=0)
    assert holders(tmp_path) == []
    with pytest.raises(HarnessError, match="-1"):
        Housekeeper(tmp_path, keep=-1)


# While trials end ---------------------------------------------------------------------------


def test_at_every_moment_of_300_ends_the_best_of_those_so_far_have_weights(tmp_path):
    """Records are removed once they have been told of: none is read a second time."""
    draw = random.Random(0)
    housekeeper, scores = Housekeeper(tmp_path, keep=5), {}
    for number in range(300):
        outcome = draw.choice([Outcome.COMPLETED, Outcome.COMPLETED, Outcome.PRUNED])
        score = draw.randint(0, 50) / 100  # with many ties
        run = make_trial(tmp_path, number, outcome, score=score)
        if outcome is Outcome.COMPLETED:
            scores[number] = score
        housekeeper.ended(run)
        (run.path / "record.json").unlink()
        best = sorted(scores, key=lambda n: (-scores[n], n))[:5]
        assert holders(tmp_path) == sorted(best)
    assert holders(tmp_path, "last.ckpt") == []


def test_a_search_that_goes_on_knows_the_best_of_before(tmp_path):
    completed(tmp_path, {0: 0.9, 1: 0.5})
    keep_best(tmp_path, keep=2)
    housekeeper = Housekeeper(tmp_path, keep=2)
    housekeeper.ended(*completed(tmp_path, {2: 0.4}))
    assert holders(tmp_path) == [0, 1]
    housekeeper.ended(*completed(tmp_path, {3: 0.6}))
    assert holders(tmp_path) == [0, 3]


def test_a_trial_that_ends_twice_has_one_place(tmp_path):
    first, second = completed(tmp_path, {0: 0.9, 1: 0.5})
    housekeeper = Housekeeper(tmp_path, keep=2)
    housekeeper.ended(first)
    housekeeper.ended(first)
    assert holders(tmp_path) == [0, 1]
    assert second.checkpoint.exists()  # nobody has told of its end yet


def test_a_winner_whose_weights_are_not_on_disk_takes_no_place(tmp_path):
    completed(tmp_path, {0: 0.5})
    housekeeper = Housekeeper(tmp_path, keep=1)
    (winner,) = completed(tmp_path, {1: 0.9})
    winner.best_weights.unlink()
    housekeeper.ended(winner)
    assert holders(tmp_path) == [0]
    keep_best(tmp_path, keep=1)
    assert holders(tmp_path) == [0]
    housekeeper.ended(*completed(tmp_path, {2: 0.6}))
    assert holders(tmp_path) == [2]


def test_a_trial_that_was_reopened_is_not_touched_when_it_falls_behind(tmp_path):
    (loser,) = completed(tmp_path, {0: 0.5})
    housekeeper = Housekeeper(tmp_path, keep=1)
    loser.set_status(Status(outcome=Outcome.QUEUED))
    housekeeper.ended(*completed(tmp_path, {1: 0.9}))
    assert holders(tmp_path) == [0, 1]
    assert loser.checkpoint.exists()


# Killed -------------------------------------------------------------------------------------

DIES_AT_REMOVAL = """
import os, signal, sys
from pathlib import Path
from harness.core.run_dir import RunDirectory
from harness.search.housekeeping import Housekeeper
search_dir, lives, is_before = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "before"
unlink = Path.unlink
def fatal(path, missing_ok=False):
    global lives
    if is_before and not lives:
        os.kill(os.getpid(), signal.SIGKILL)
    unlink(path, missing_ok)
    if not is_before and not lives:
        os.kill(os.getpid(), signal.SIGKILL)
    lives -= 1
Path.unlink = fatal
housekeeper = Housekeeper(search_dir, keep=2)
housekeeper.ended(RunDirectory(search_dir / "t0005-abcdef"))
housekeeper.tidy()
"""


@pytest.mark.parametrize(("removals", "moment"), [(0, "after"), (1, "before"), (4, "after")])
def test_killed_between_two_removals_nothing_is_lost_and_the_next_call_ends_it(
    tmp_path, removals, moment
):
    completed(tmp_path, {0: 0.7, 1: 0.9, 2: 0.8, 3: 0.6, 5: 0.95})
    make_trial(tmp_path, 4, Outcome.PREEMPTED)
    make_trial(tmp_path, 6, Outcome.PRUNED)
    ended = subprocess.run(
        [sys.executable, "-c", DIES_AT_REMOVAL, tmp_path, str(removals), moment], check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert {1, 4, 5} <= set(holders(tmp_path))
    assert set(holders(tmp_path, "last.ckpt")) <= set(holders(tmp_path))
    assert 4 in holders(tmp_path, "last.ckpt")
    keep_best(tmp_path, keep=2)
    assert holders(tmp_path) == [1, 4, 5]
    assert holders(tmp_path, "last.ckpt") == [4]


# Folders that are not as they should be -----------------------------------------------------


def test_no_link_is_followed(tmp_path):
    search_dir, outside = tmp_path / "search", tmp_path / "outside"
    precious = make_trial(outside, 7, Outcome.PRUNED)
    loser = make_trial(search_dir, 0, Outcome.PRUNED)
    loser.best_weights.unlink()
    loser.best_weights.symlink_to(precious.best_weights)
    (search_dir / "t0001-abcdef").symlink_to(precious.path)
    freed = keep_best(search_dir, keep=0)
    assert [item.path for item in freed] == [loser.checkpoint]
    assert loser.best_weights.is_symlink()
    assert precious.best_weights.exists()
    assert precious.checkpoint.exists()


def spoil_status(run: RunDirectory) -> None:
    (run.path / "status.json").write_text("{")


def spoil_score(run: RunDirectory) -> None:
    (run.path / "record.json").write_text('{"metrics": {"best/auroc_macro": NaN}}')


def spoil_record(run: RunDirectory) -> None:
    (run.path / "record.json").write_bytes(b"\xff\xfe")


def make_status_a_folder(run: RunDirectory) -> None:
    (run.path / "status.json").unlink()
    (run.path / "status.json").mkdir()


def take_away_recipe(run: RunDirectory) -> None:
    (run.path / "recipe.json").unlink()


@pytest.mark.parametrize(
    "spoil", [spoil_status, spoil_score, spoil_record, make_status_a_folder, take_away_recipe]
)
def test_weights_of_which_nothing_is_known_stay(tmp_path, spoil):
    run, good, worse = completed(tmp_path, {0: 0.1, 1: 0.9, 2: 0.8})
    spoil(run)
    keep_best(tmp_path, keep=1)
    assert holders(tmp_path) == [0, 1]
    Housekeeper(tmp_path, keep=1).ended(run)
    assert holders(tmp_path) == [0, 1]
    assert rank_of(good) == (-0.9, good.path.name)
    assert status_of(worse).outcome is Outcome.COMPLETED


def test_a_run_that_a_process_works_on_is_left(tmp_path):
    run, _ = completed(tmp_path, {0: 0.1, 1: 0.9})
    with held(run.lock_file):
        keep_best(tmp_path, keep=1)
        assert holders(tmp_path) == [0, 1]
    keep_best(tmp_path, keep=1)
    assert holders(tmp_path) == [1]


def test_what_may_not_be_removed_is_told_and_the_rest_goes_on(tmp_path, caplog):
    run = make_trial(tmp_path, 0, Outcome.PRUNED)
    not_ours = Waste(Path("/proc/self/status"), 0, "not even root may remove it")
    ours = Waste(run.checkpoint, 10, "")
    assert remove([not_ours, ours]) == [ours]
    assert not run.checkpoint.exists()
    assert "/proc/self/status cannot be removed" in caplog.text
