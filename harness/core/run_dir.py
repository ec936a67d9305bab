"""`RunDirectory`: the folder that is the truth about one run, and the names of what lies in it."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from harness.core.errors import HarnessError
from harness.core.files import as_json, overwrite_text, read_json, write_json, write_text
from harness.core.json_lines import append_json_lines, read_json_lines
from harness.core.memory import MemoryLevel, MemoryShortage
from harness.core.predictions import Predictions
from harness.core.recipe import Frozen, Recipe, problems_of
from harness.core.records import (
    EarlyReport,
    EpochReport,
    Evaluation,
    FailureReason,
    Outcome,
    Provenance,
    RunRecord,
    Status,
)

log = logging.getLogger(__name__)

Value = TypeVar("Value", bound=Frozen)


class FrozenThresholds(Frozen):
    """What `thresholds.json` holds."""

    rule: str
    thresholds: dict[str, float | None] = Field(default_factory=dict)


class StorePlace(Frozen):
    """What `store.json` holds."""

    path: Path


class RunDirectory:
    """One run's folder. Readers get None for what has not been written yet.

    A file that is damaged, or was changed by hand into something else, is a `HarnessError` that
    names it. Writers write a file whole or not at all, and raise `DiskFullError`.
    """

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

    @property
    def lock_file(self) -> Path:
        """Held (`core.locks`) by the process that trains or scores the run."""
        return self.path / ".lock"

    def predictions_file(self, part: str) -> Path:
        return self.path / f"predictions_{part}.npz"

    # Reading --------------------------------------------------------------------------------

    @property
    def status(self) -> Status:
        return self._read("status.json", Status) or Status(outcome=Outcome.QUEUED)

    @property
    def recipe(self) -> Recipe | None:
        return self._read("recipe.json", Recipe)

    @property
    def provenance(self) -> Provenance | None:
        return self._read("provenance.json", Provenance)

    @property
    def record(self) -> RunRecord | None:
        return self._read("record.json", RunRecord)

    @property
    def memory(self) -> MemoryLevel:
        """How thrifty the run must be; level 0 unless it did not fit before."""
        return self._read("memory.json", MemoryLevel) or MemoryLevel()

    @property
    def epochs(self) -> list[EpochReport]:
        return self._read_lines("metrics.jsonl", EpochReport)

    @property
    def early(self) -> list[EarlyReport]:
        """What was reported within epochs, those that a checkpoint does not know included."""
        return self._read_lines("early.jsonl", EarlyReport)

    @property
    def thresholds(self) -> dict[str, float | None] | None:
        """Threshold per finding, or None before they are frozen."""
        frozen = self._read("thresholds.json", FrozenThresholds)
        return frozen.thresholds if frozen else None

    @property
    def store(self) -> Path | None:
        """Where the image store lay; None for a run of a search, which knows it."""
        place = self._read("store.json", StorePlace)
        return place.path if place else None

    @property
    def test_evaluation(self) -> Evaluation | None:
        return self._read("test.json", Evaluation)

    def predictions(self, part: str) -> Predictions | None:
        path = self.predictions_file(part)
        return Predictions.load(path) if path.exists() else None

    def _read(self, name: str, kind: type[Value]) -> Value | None:
        path = self.path / name
        try:
            return kind.model_validate(read_json(path))
        except FileNotFoundError:
            return None
        except ValueError as error:  # also what is not JSON, and not text
            raise _damaged(path, error) from None

    def _read_lines(self, name: str, kind: type[Value]) -> list[Value]:
        path = self.path / name
        try:
            return [kind.model_validate(line) for line in read_json_lines(path)]
        except ValueError as error:
            raise _damaged(path, error) from None

    # Writing --------------------------------------------------------------------------------

    def complete(self) -> None:
        """What follows from a record: the run is completed, and needs its checkpoint no more."""
        self.set_status(Status(outcome=Outcome.COMPLETED))
        self.checkpoint.unlink(missing_ok=True)

    def set_status(self, status: Status) -> None:
        self._write("status.json", status)

    def overwrite_status(self, status: Status) -> None:
        """As `set_status`, where a status stands already and the disk has no byte left."""
        overwrite_text(self.path / "status.json", as_json(status.model_dump(mode="json")))

    def write_memory(self, memory: MemoryLevel) -> None:
        self._write("memory.json", memory)

    def lower_memory(
        self, why: str, reason: FailureReason = FailureReason.HOST_MEMORY
    ) -> MemoryLevel:
        """Make the run need less memory from its next start on; the level that it then has.

        To be called while nobody trains it: after its worker was killed for memory, say.
        """
        before = self.memory
        log.warning("%s: did not fit at memory level %d: %s", self.path.name, before.level, why)
        memory = before.after(MemoryShortage(why=why, reason=reason))
        self.write_memory(memory)
        return memory

    def write_recipe(self, recipe: Recipe) -> None:
        self._write("recipe.json", recipe)

    def write_provenance(self, provenance: Provenance) -> None:
        self._write("provenance.json", provenance)

    def write_record(self, record: RunRecord) -> None:
        self._write("record.json", record)

    def write_test_evaluation(self, evaluation: Evaluation) -> None:
        self._write("test.json", evaluation)

    def write_store(self, path: Path) -> None:
        self._write("store.json", StorePlace(path=path))

    def write_thresholds(self, rule: str, thresholds: dict[str, float | None]) -> None:
        frozen = FrozenThresholds(rule=rule, thresholds=thresholds)
        self._write(self.thresholds_file.name, frozen)

    def append_epoch(self, report: EpochReport) -> None:
        append_json_lines(self.path / "metrics.jsonl", [report.model_dump(mode="json")])

    def add_early(self, report: EarlyReport) -> None:
        """Write what is told within an epoch; told again after a crash, the first one stays.

        It may have decided something already, so it outlives the epoch that a crash has cost.
        """
        known = self.early
        if report.epoch in (each.epoch for each in known):
            return
        self._write_lines("early.jsonl", [*known, report])

    def keep_epochs(self, num_epochs: int) -> None:
        """Drop the lines of epochs later than `num_epochs`: a checkpoint does not know them."""
        kept = [report for report in self.epochs if report.epoch <= num_epochs]
        self._write_lines("metrics.jsonl", kept)

    def _write(self, name: str, value: Frozen) -> None:
        write_json(self.path / name, value.model_dump(mode="json"))

    def _write_lines(self, name: str, values: Sequence[Frozen]) -> None:
        lines = "".join(value.model_dump_json() + "\n" for value in values)
        write_text(self.path / name, lines)


def _damaged(path: Path, error: ValueError) -> HarnessError:
    """One line that names the file, the place in it and what to do."""
    if isinstance(error, ValidationError):
        where, what = problems_of(error)[0]
        told = f"{where}: {what}" if where else what
    else:
        told = f"not JSON: {error}"
    return HarnessError(
        f"{path}: damaged or changed by hand ({told}); put back what was there, or remove the "
        "run's folder to make the run again"
    )
