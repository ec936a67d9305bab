import json
from dataclasses import replace

import numpy as np
import pytest

from harness.bundle.bundle import Bundle
from harness.bundle.write import write_bundle
from harness.core.errors import HarnessError
from harness.core.records import Outcome, Status
from harness.data.phantom import make_phantom


def refusal(run, folder, store, **options) -> str:
    with pytest.raises(HarnessError) as refused:
        write_bundle(run, folder, name="x", store=store, **options)
    assert "\n" not in str(refused.value)
    assert list(folder.parent.glob(f"*{folder.name}*")) == []
    return str(refused.value)


def move_scores(run, by: float) -> None:
    val = run.predictions("val")
    score_NL = val.score_NL.copy()
    score_NL[3, 2] += np.float32(by)
    replace(val, score_NL=score_NL).save(run.predictions_file("val"))


def test_a_bundle_is_bit_equal_and_says_so(bundle_dir, trained_results):
    facts = Bundle.read(bundle_dir).facts
    (run,) = (trained_results / "searches" / "dannynet").glob("t0000-*")
    frozen = json.loads((run / "thresholds.json").read_text())["thresholds"]
    assert facts.thresholds == frozen
    assert facts.agreement.largest_difference == 0
    assert facts.agreement.num_images == facts.validation.num_images
    assert facts.agreement.trained_on == facts.agreement.checked_on
    assert facts.test is None


def test_other_scores_are_refused_unless_they_are_tolerated(run, store, tmp_path):
    move_scores(run, 3e-4)
    told = refusal(run, tmp_path / "new", store)
    assert "by up to 0.0003 (trained on CPU" in told
    assert "--tolerance 4e-04 allows it" in told
    refusal(run, tmp_path / "new", store, tolerance=2e-4)
    bundle = write_bundle(run, tmp_path / "new", name="x", store=store, tolerance=4e-4)
    assert bundle.facts.agreement.largest_difference == pytest.approx(3e-4, rel=1e-3)
    assert "not those of the run, by up to 0.0003 (allowed: 0.0004)" in bundle.card


def test_scores_that_are_no_numbers_are_refused(run, store, tmp_path):
    move_scores(run, float("nan"))
    with pytest.raises((HarnessError, ValueError)):
        write_bundle(run, tmp_path / "new", name="x", store=store, tolerance=1)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("outcome", [Outcome.PRUNED, Outcome.RUNNING, Outcome.FAILED])
def test_only_a_completed_run_will_do(run, store, tmp_path, outcome):
    run.set_status(Status(outcome=outcome))
    assert f"the run is {outcome}" in refusal(run, tmp_path / "new", store)


def test_weights_that_were_removed_are_missed(run, store, tmp_path):
    run.best_weights.unlink()
    assert "its weights are gone" in refusal(run, tmp_path / "new", store)


def test_predictions_that_were_removed_are_missed(run, store, tmp_path):
    run.predictions_file("val").unlink()
    assert "predictions are gone" in refusal(run, tmp_path / "new", store)


def test_another_store_is_refused(run, tmp_path):
    other = make_phantom(tmp_path / "other", num_images=60, size_px=64)
    assert "belongs to the store" in refusal(run, tmp_path / "new", other.path)
    assert "no such folder" in refusal(run, tmp_path / "new", tmp_path / "gone")


def test_a_folder_that_is_there_is_left_alone(run, store, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(HarnessError, match="already exists"):
        write_bundle(run, tmp_path / "mine", name="x", store=store)
    assert list((tmp_path / "mine").iterdir()) == []


def test_progress_ends_at_the_number_of_images(run, store, tmp_path):
    told = []
    write_bundle(
        run, tmp_path / "new", name="x", store=store,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told[-1] == (34, 34)


def test_a_run_whose_test_set_was_scored_tells_of_it(run, store, tmp_path):
    from harness.core.machine import Machine
    from harness.scoring import score_test

    evaluation = score_test(Machine(store=store, device="cpu"), run.path)
    facts = write_bundle(run, tmp_path / "new", name="x", store=store).facts
    assert facts.test.num_images == evaluation.num_images
    assert facts.test.macro["auroc"].value == pytest.approx(evaluation.macro["auroc"], abs=1e-6)
