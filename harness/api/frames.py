"""Runs, trials, predictions and figures as pandas frames: what folders hold, one row a thing.

N images, L findings.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.core.recipe import recipe_paths
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE

if TYPE_CHECKING:
    from harness.benchmark.forms.comma_separated import Line
    from harness.bundle.predict import Answered
    from harness.core.predictions import Predictions
    from harness.core.records import Evaluation

TEXTS = ("comparison", "row", "part", "scope", "metric", "attribute", "group", "to")
COUNTS = ("num_positives", "num_unknown")


def run_row(run: RunDirectory, paths: Sequence[str]) -> dict[str, Any]:
    """What is known of a run, with the values of its recipe at dotted `paths`."""
    from harness.search.history import seconds_of

    status, recipe, record, provenance = run.status, run.recipe, run.record, run.provenance
    epochs = run.epochs
    last = epochs[-1].metrics if epochs else {}
    return {
        "outcome": status.outcome.value,
        "reason": status.reason.value if status.reason else "",
        "score": last.get(SCORE),
        "num_epochs": len(epochs),
        "best_epoch": int(last.get("best/epoch", 0)),
        "seconds": seconds_of(run),
        **{path: recipe.get(path) if recipe else None for path in paths},
        **{f"val/{name}": value for name, value in (record.val.macro if record else {}).items()},
        "device": provenance.device if provenance else "",
        "path": str(run.path),
    }


def runs_frame(runs: Iterable[tuple[str, RunDirectory]]) -> pd.DataFrame:
    """A row for each run of a group, with its whole recipe."""
    paths = recipe_paths()
    rows = [{"group": group, "run": run.path.name, **run_row(run, paths)} for group, run in runs]
    return pd.DataFrame(rows)


def epochs_frame(run: RunDirectory) -> pd.DataFrame:
    """The figures of each epoch, by its number."""
    rows = {report.epoch: report.metrics for report in run.epochs}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("epoch")


def evaluation_frame(evaluation: "Evaluation") -> pd.DataFrame:
    """A row for each finding and one for `macro`, a column for each figure."""
    rows: dict[str, Mapping[str, Any]] = {
        finding: figures.model_dump() for finding, figures in evaluation.findings.items()
    }
    return pd.DataFrame.from_dict(rows | {"macro": evaluation.macro}, orient="index").rename_axis(
        "finding"
    )


def scores_frame(predictions: "Predictions") -> pd.DataFrame:
    """float32, N x L, scores in [0, 1]; the index is (patient, image)."""
    return pd.DataFrame(
        predictions.score_NL, index=_images(predictions), columns=list(predictions.findings)
    )


def labels_frame(predictions: "Predictions") -> pd.DataFrame:
    """Nullable boolean, N x L, in the shape of `scores_frame`; NA where a label is not known."""
    labels = pd.DataFrame(
        predictions.label_NL, index=_images(predictions), columns=list(predictions.findings)
    )
    return labels.astype("boolean").mask(~predictions.is_known_NL)


def _images(predictions: "Predictions") -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays(
        [predictions.patient_ids, predictions.image_ids], names=["patient", "image"]
    )


def lines_frame(lines: Iterable["Line"]) -> pd.DataFrame:
    """The figures of a `table.csv`, in its columns; `seeds` are tuples."""
    from harness.benchmark.forms.comma_separated import ABOUT, FIGURES

    rows = [
        {name: getattr(line, name) for name in ABOUT}
        | {name: getattr(line.figure, name, None) for name in FIGURES}
        for line in lines
    ]
    frame = pd.DataFrame(rows, columns=[*ABOUT, *FIGURES])
    kinds = dict.fromkeys(TEXTS, "string") | dict.fromkeys(COUNTS, "Int64")
    numbers = {name: "float64" for name in FIGURES if name not in ("seeds", "to")}
    return frame.astype(kinds | numbers)


def answers_frame(answered: "Answered") -> pd.DataFrame:
    """A row for each image and finding, in the columns of `harness predict --csv`."""
    from harness.bundle.predict import HEAD

    classifier = answered.classifier
    rows = [
        (str(file), finding, score, threshold, probability, is_flagged)
        for file, answer in answered.answers.items()
        for finding, score, threshold, probability, is_flagged in zip(
            classifier.findings,
            answer.score_L.tolist(),
            classifier.threshold_L.tolist(),
            answer.probability_L.tolist(),
            answer.is_flagged_L.tolist(),
            strict=True,
        )
    ]
    return pd.DataFrame(rows, columns=list(HEAD))
