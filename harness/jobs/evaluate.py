"""`evaluate` and `report`: figures of predictions that are there already; nothing is trained."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from harness.benchmark.comparison import (
    COMPARISON_FILE,
    Comparison,
    Images,
    write_cases,
    write_foreign,
)
from harness.benchmark.foreign import ForeignScores, join, read_scores
from harness.benchmark.labelled import Labelled, labels_of
from harness.benchmark.plan import StatisticsPlan
from harness.benchmark.report import write_report
from harness.benchmark.results import Results
from harness.core.errors import HarnessError
from harness.core.findings import FINDINGS
from harness.core.looks import Look, record_looks
from harness.core.predictions import Predictions
from harness.core.progress import progress_console
from harness.evaluation.subgroups import Cases


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """Predictions from elsewhere and what they are held against.

    Attributes:
        predictions: Files of scores of the test images, by the name of their row.
        val_predictions: The same, of other images, on which thresholds are tuned.
        labels: Label table of both.
        images: List of the test images; None for all that every file of predictions has.
    """

    predictions: Mapping[str, Path]
    labels: Path
    val_predictions: Mapping[str, Path] = field(default_factory=dict)
    images: Path | None = None


def evaluate(evaluated: Evaluated, *, out: Path, statistics: StatisticsPlan) -> Results:
    """Score predictions of any models, and write all forms of the results into `out`.

    Raises:
        HarnessError: A file has a mistake, or `out` holds a benchmark; nothing was written.
    """
    _check_names(evaluated)
    _check_free(out)
    scores = _read(evaluated.predictions)
    val_scores = _read(evaluated.val_predictions)
    test = _test_images(evaluated, scores)
    parts = {name: {"test": join(found, test)} for name, found in scores.items()}
    for name, found in val_scores.items():
        parts[name]["val"] = _val_predictions(found, evaluated.labels, parts[name]["test"])
    comparison = Comparison(
        name=out.name,
        title=f"{', '.join(scores)} on {len(test):,} images",
        statistics=statistics,
        images=Images(
            store_source=evaluated.labels.name,
            is_synthetic=False,
            label_version=test.label_version,
            labels_sha256=test.labels_sha256,
            split=evaluated.images.name if evaluated.images else "all predicted images",
            split_sha256=test.sha256,
            num_val_patients=_num_val_patients(parts.values()),
        ),
        foreign={name: found.sha256 for name, found in scores.items()},
    )
    record_looks(out, _looks(scores, test))
    write_cases(Cases.of_table(test.table), out)
    for name, predictions in parts.items():
        write_foreign(out, name, predictions)
    comparison.write(out)
    return report(out)


def report(folder: Path, console: Console | None = None) -> Results:
    """The results of a benchmark's folder in every form, made again from its predictions.

    Raises:
        HarnessError: The folder holds no comparison.
    """
    return reported(folder, console or progress_console())[0]


def reported(folder: Path, console: Console) -> tuple[Results, list[Path]]:
    """The results of a benchmark's folder, and the files that hold them in every form."""
    with console.status("computing intervals") as shown:
        return write_report(
            folder,
            progress=lambda done, total: shown.update(
                f"computing intervals: {done} of {total} rows"
            ),
        )


def _check_names(evaluated: Evaluated) -> None:
    strange = [name for name in evaluated.val_predictions if name not in evaluated.predictions]
    if strange:
        known = ", ".join(evaluated.predictions)
        raise HarnessError(
            f"--val-predictions {strange[0]}: no --predictions of that name (there are {known}); "
            "give both as NAME=FILE"
        )


def _check_free(out: Path) -> None:
    if (out / COMPARISON_FILE).exists() and Comparison.read(out).contestants:
        raise HarnessError(
            f"--out {out}: holds a benchmark, which would be lost; name another folder, or give "
            "the --predictions to the benchmark"
        )


def _read(files: Mapping[str, Path]) -> dict[str, ForeignScores]:
    return {name: read_scores(path, findings=FINDINGS) for name, path in files.items()}


def _test_images(evaluated: Evaluated, scores: Mapping[str, ForeignScores]) -> Labelled:
    """The listed images, or those that the first file of predictions names."""
    labelled = labels_of(evaluated.labels, listed=evaluated.images)
    if evaluated.images is not None:
        return labelled
    first = next(iter(scores.values()))
    return labelled.only(first.image_ids, where=first.path)


def _val_predictions(scores: ForeignScores, labels: Path, test: Predictions) -> Predictions:
    """The scores of validation, no patient of which may be in test.

    Raises:
        HarnessError: One is.
    """
    val = join(scores, labels_of(labels).only(scores.image_ids, where=scores.path))
    shared = sorted(set(val.patient_ids) & set(test.patient_ids))
    if shared:
        raise HarnessError(
            f"{scores.path}: {len(shared)} patients, such as {shared[0]}, are in the test images "
            "too; thresholds must be tuned on other patients"
        )
    return val


def _num_val_patients(parts: Iterable[Mapping[str, Predictions]]) -> int | None:
    """On how many patients thresholds are tuned; None where that differs between the rows."""
    patients = {frozenset(each["val"].patient_ids.tolist()) for each in parts if "val" in each}
    return len(patients.pop()) if len(patients) == 1 else None


def _looks(scores: Mapping[str, ForeignScores], test: Labelled) -> Iterator[Look]:
    for name, found in scores.items():
        yield Look.of_this_code(
            name, run_id=found.sha256, thresholds_sha256="", split_sha256=test.sha256
        )
