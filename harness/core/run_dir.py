"""`RunDirectory`: the folder that is the truth about one run, and the names of what lies in it."""

from pathlib import Path

from harness.core.files import (
    append_json_line,
    read_json,
    read_json_lines,
    write_json,
    write_text,
)
from harness.core.predictions import Predictions
from harness.core.recipe import Recipe
from harness.core.records import EpochReport, Evaluation, Outcome, Provenance, RunRecord, Status


class RunDirectory:
    """One run's folder. Readers get None for what has not been written yet."""

    def __init__(self, path: Path) -> None:
        assert path.is_absolute(), path
        self.path = path

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

    # What lies in it ------------------------------------------------------------------------

    @property
    def checkpoint(self) -> Path:
        return self.path / "last.ckpt"

    @property
    def best_weights(self) -> Path:
        return self.path / "best.safetensors"

    @property
    def thresholds_file(self) -> Path:
        return self.path / "thresholds.json"

    def predictions_file(self, part: str) -> Path:
        return self.path / f"predictions_{part}.npz"

    # Reading --------------------------------------------------------------------------------

    @property
    def status(self) -> Status:
        path = self.path / "status.json"
        if not path.exists():
            return Status(outcome=Outcome.QUEUED)
        return Status.model_validate(read_json(path))

    @property
    def recipe(self) -> Recipe | None:
        path = self.path / "recipe.json"
        return Recipe.model_validate(read_json(path)) if path.exists() else None

    @property
    def provenance(self) -> Provenance | None:
        path = self.path / "provenance.json"
        return Provenance.model_validate(read_json(path)) if path.exists() else None

    @property
    def record(self) -> RunRecord | None:
        path = self.path / "record.json"
        return RunRecord.model_validate(read_json(path)) if path.exists() else None

    @property
    def epochs(self) -> list[EpochReport]:
        return [
            EpochReport.model_validate(line)
            for line in read_json_lines(self.path / "metrics.jsonl")
        ]

    @property
    def thresholds(self) -> dict[str, float | None] | None:
        """Threshold per finding, or None before they are frozen."""
        path = self.thresholds_file
        return dict(read_json(path)["thresholds"]) if path.exists() else None

    @property
    def test_evaluation(self) -> Evaluation | None:
        path = self.path / "test.json"
        return Evaluation.model_validate(read_json(path)) if path.exists() else None

    def predictions(self, part: str) -> Predictions | None:
        path = self.predictions_file(part)
        return Predictions.load(path) if path.exists() else None

    # Writing --------------------------------------------------------------------------------

    def set_status(self, status: Status) -> None:
        write_json(self.path / "status.json", status.model_dump(mode="json"))

    def write_recipe(self, recipe: Recipe) -> None:
        write_json(self.path / "recipe.json", recipe.model_dump(mode="json"))

    def write_provenance(self, provenance: Provenance) -> None:
        write_json(self.path / "provenance.json", provenance.model_dump(mode="json"))

    def write_record(self, record: RunRecord) -> None:
        write_json(self.path / "record.json", record.model_dump(mode="json"))

    def write_test_evaluation(self, evaluation: Evaluation) -> None:
        write_json(self.path / "test.json", evaluation.model_dump(mode="json"))

    def write_thresholds(self, rule: str, thresholds: dict[str, float | None]) -> None:
        write_json(self.thresholds_file, {"rule": rule, "thresholds": thresholds})

    def append_epoch(self, report: EpochReport) -> None:
        append_json_line(self.path / "metrics.jsonl", report.model_dump(mode="json"))

    def keep_epochs(self, num_epochs: int) -> None:
        """Drop the lines of epochs later than `num_epochs`: a checkpoint does not know them."""
        kept = [report for report in self.epochs if report.epoch <= num_epochs]
        lines = "".join(report.model_dump_json() + "\n" for report in kept)
        write_text(self.path / "metrics.jsonl", lines)
