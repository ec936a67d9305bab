"""`predict`: what a bundle's network says of image files, and the table of it."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.bundle.classifier import Answer, Classifier
from harness.core.errors import HarnessError
from harness.core.files import write_atomic
from harness.core.progress import Progress, ignore
from harness.data.radiograph import read_radiograph

NUM_AT_ONCE = 32
HEAD = ("image", "finding", "score", "score_threshold", "probability", "flag")
"""Of a CSV file of answers."""
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""With which a cell begins that a spreadsheet computes."""


@dataclass(frozen=True)
class Answered:
    """Answers by file, and the files that could not be read with the reason."""

    classifier: Classifier
    answers: dict[Path, Answer] = field(default_factory=dict)
    failures: dict[Path, str] = field(default_factory=dict)


def predict(
    classifier: Classifier, files: Sequence[Path], *, progress: Progress = ignore
) -> Answered:
    """Answer for each file that can be read, some at a time; `progress` is told where it lasts."""
    answered = Answered(classifier)
    for start in range(0, len(files), NUM_AT_ONCE):
        squares = {}
        for number, path in enumerate(files[start : start + NUM_AT_ONCE], start=start + 1):
            try:
                squares[path] = classifier.square(read_radiograph(path))
            except HarnessError as error:
                answered.failures[path] = str(error)
            if len(files) > NUM_AT_ONCE:
                progress(number, len(files))
        if squares:
            answers = classifier.answers(np.stack(list(squares.values())))
            answered.answers.update(zip(squares, answers, strict=True))
    return answered


def write_answers(path: Path, answered: Answered) -> None:
    """Write a CSV file with a row for each image and finding.

    No spreadsheet takes the name of a file for a formula, and any name can be written.
    """
    bundle = answered.classifier.bundle

    def rows() -> Iterable[Sequence[object]]:
        for file, answer in answered.answers.items():
            for column, finding in enumerate(bundle.findings):
                yield (
                    _no_formula(str(file)),
                    *cells(
                        finding,
                        score=answer.score_L[column],
                        probability=answer.probability_L[column],
                        threshold=bundle.thresholds[finding],
                        is_flagged=answer.is_flagged_L[column],
                    ),
                )

    def write(partial: Path) -> None:
        # Names of files may be no UTF-8, and a table must not be lost for one.
        with partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
            csv.writer(stream).writerows([HEAD, *rows()])

    write_atomic(path, write)


def _no_formula(file: str) -> str:
    """A path to the same file that begins as no formula does."""
    return f"./{file}" if file.startswith(FORMULA_SIGNS) else file


def cells(
    finding: str, *, score: float, probability: float, threshold: float | None, is_flagged: bool
) -> tuple[str, ...]:
    """What is said of one finding, under `HEAD` after the image's name."""
    bound = "" if threshold is None else f"{threshold:.7g}"
    return finding, f"{score:.7g}", bound, f"{probability:.7g}", str(int(is_flagged))
