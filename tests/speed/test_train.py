"""Small versions of what `harness speed train` measures: equality, directions, and the page."""

import pytest
import torch

from harness.core.errors import HarnessError
from harness.speed import train
from harness.speed.reports import ReportSpeed
from harness.speed.train import (
    SaveSpeed,
    StepSpeed,
    by_turns,
    compare,
    compare_saves,
    compare_steps,
    told,
)
from harness.speed.work import Work, make_trainer

SMALL = {"batch_size": 4, "stored_px": 40, "input_px": 32, "num_equal": 20, "num_timed": 4}
STEP = StepSpeed(model="densenet121", batch_size=8, input_px=224, threads=2, num_equal=20,
                 harness_s=2.0, minimal_s=1.9, ratio=0.99)  # fmt: skip
SAVE = SaveSpeed(model="densenet121", megabytes=84, blocked_ms=20, first_ms=60, torch_save_ms=300)
REPORTS = ReportSpeed(tune_report_ms=5, handed_ms=0.25)


@pytest.mark.parametrize("model", ["densenet_mini", "vit_mini", "test_vit"])
def test_both_loops_compute_the_same(model):
    lines = []
    (step,), (save,) = compare([Work(model, **SMALL)], lines.append)
    assert (step.model, step.num_equal) == (model, 20)
    assert min(step.harness_s, step.minimal_s, step.ratio, save.blocked_ms) > 0
    assert len(lines) == 2


def test_loops_that_differ_are_not_timed(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "minimal_steps", lambda *_: iter([torch.tensor(0.5)] * 30))
    work = Work("densenet_mini", **SMALL)
    with pytest.raises(HarnessError, match="densenet_mini: at step 1 the harness's loss is"):
        compare_steps(work, make_trainer(work, tmp_path))


def test_steps_alternate_and_so_does_who_begins():
    order = []

    def loop(name):
        while True:
            order.append(name)
            yield

    ours_s, theirs_s = by_turns(loop("a"), loop("b"), 4)
    assert "".join(order) == "abbaabba"
    assert len(ours_s) == len(theirs_s) == 4


def test_a_copy_blocks_less_than_torch_save(tmp_path):
    """57 MB of random weights and moments: several times, so any factor is a wide margin."""
    work = Work("test_vit", **SMALL | {"num_equal": 1})
    trainer = make_trainer(work, tmp_path)
    trainer.network.backbone.register_buffer("much", torch.rand(12_000_000))
    next(trainer.steps(1))
    speed = compare_saves("test_vit", trainer, count=3)
    assert speed.megabytes > 48
    assert speed.blocked_ms < speed.torch_save_ms


def test_rows_are_of_what_was_measured():
    rows = told([STEP], [SAVE], REPORTS).rows
    assert [row.ratio for row in rows] == [0.99, 15, None, 20], "of pairs, where there are such"
    assert [row.holds for row in rows] == [True, True, True, None]
    assert (rows[0].ours, rows[0].peer) == (4, pytest.approx(8 / 1.9))


def test_without_ray_the_rest_is_told():
    speed = told([STEP], [SAVE], None)
    assert len(speed.rows) == 2
    text = " ".join(speed.notes.split())
    assert "20 steps are equal to the bit" in text
    assert "60 ms (densenet121)" in text
