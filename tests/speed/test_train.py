"""Small versions of what `harness speed train` measures: equality, directions, and the page."""

import json

import pytest
import torch

from harness.core.errors import HarnessError
from harness.speed import train
from harness.speed.reports import ReportSpeed, measure_tell
from harness.speed.train import (
    SaveSpeed,
    StepSpeed,
    TrainSpeed,
    Work,
    by_turns,
    compare,
    compare_saves,
    compare_steps,
    make_trainer,
    rows_of,
    write_train_report,
)

HARDWARE = {"cores": 2, "cpu": "some CPU", "memory_gb": 25.0, "load_before": 0.1}
SMALL = {"batch_size": 4, "stored_px": 40, "input_px": 32, "num_equal": 20, "num_timed": 4}
SPEED = TrainSpeed(
    steps=(
        StepSpeed(model="densenet121", batch_size=8, input_px=224, threads=2, num_equal=20,
                  harness_s=2.0, minimal_s=1.98, ratio=0.99),
    ),
    saves=(
        SaveSpeed(model="densenet121", megabytes=84, blocked_ms=20, first_ms=60,
                  torch_save_ms=300),
    ),
    reports=ReportSpeed(num_metrics=20, tune_report_ms=5, handed_ms=0.25, tell_ms=0.01,
                        log_batch_ms=17),
)  # fmt: skip


@pytest.mark.parametrize("model", ["densenet_mini", "vit_mini", "test_vit"])
def test_both_loops_compute_the_same(model):
    told = []
    speed = compare([Work(model, **SMALL)], told.append)
    (step,), (save,) = speed.steps, speed.saves
    assert (step.model, step.num_equal) == (model, 20)
    assert min(step.harness_s, step.minimal_s, step.ratio, save.blocked_ms) > 0
    assert len(told) == 2


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


def test_leaving_word_for_mlflow_does_not_wait_for_it():
    """Nothing is written until all has been told, so waiting would never end."""
    assert measure_tell() > 0


def test_rows_and_report_say_the_same(tmp_path):
    rows = rows_of(SPEED)
    assert [row[3] for row in rows] == ["0.990", "15.0", "20.0", "1700.0"]
    assert rows[0][1:3] == ["4.00", "4.04"]
    path, page = write_train_report(SPEED, HARDWARE, tmp_path)
    told = json.loads(path.read_text())
    assert (told["steps"][0]["ratio"], told["saves"][0]["ratio"]) == (0.99, 15.0)
    text = " ".join(page.read_text().split())
    for words in ("| 0.990 |", "20 steps are equal to the bit", "60 ms (densenet121)", "timm "):
        assert words in text
