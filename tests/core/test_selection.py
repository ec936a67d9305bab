from harness.core.recipe import Recipe
from harness.core.records import Evaluation, Provenance, RunRecord
from harness.core.selection import SCORE, rank_runs

PROVENANCE = Provenance(
    git_commit="", git_dirty=None, versions={}, device="cpu", split="official", split_sha256="",
    store_source="phantom", labels_sha256="",
)  # fmt: skip
VAL = Evaluation(
    part="val", threshold_rule="f1", num_images=1, num_patients=1, findings={}, macro={}
)


def record(run_id: str, score: float | None, **metrics: float) -> RunRecord:
    scores = {} if score is None else {SCORE: score}
    return RunRecord(
        run_id=run_id, recipe=Recipe(), provenance=PROVENANCE, best_epoch=1, num_epochs=1,
        duration_s=1, metrics={**scores, **metrics}, val=VAL,
    )  # fmt: skip


def test_the_best_comes_first_and_equals_go_by_their_names() -> None:
    records = [record("c", 0.7), record("a", 0.6), record("b", 0.7), record("d", None)]
    assert [one.run_id for one in rank_runs(records)] == ["b", "c", "a"]
    assert rank_runs([]) == []


def test_the_last_epoch_does_not_rank() -> None:
    peaked = record("peaked", 0.98, **{"val/auroc_macro": 0.62})
    steady = record("steady", 0.70, **{"val/auroc_macro": 0.70})
    assert rank_runs([steady, peaked])[0] is peaked
