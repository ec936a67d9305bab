"""Predictions from elsewhere: a CSV file of scores, and its scores beside our labels.

Every mistake in a file is one line that says where. N images, L findings.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.benchmark.labelled import Labelled, reading, shortened, some_of
from harness.core.errors import HarnessError, did_you_mean
from harness.core.files import sha256_of_file
from harness.core.predictions import Predictions

log = logging.getLogger(__name__)

HEADER_BYTES = 1 << 16
SEPARATORS = ",;\t"
LONG = ("image", "finding", "score")
"""Columns of a file with a row for each image and finding."""
LONGEST_NAME = 255
"""File names have no more letters, and an array of names takes as much for each as the longest."""


@dataclass(frozen=True, eq=False)
class ForeignScores:
    """What a file of scores holds, checked.

    Attributes:
        image_ids: N image names, all different.
        score_NL: float32, probabilities in [0, 1].
        findings: L names, in the order that was asked for.
        sha256: Of the file.
    """

    path: Path
    sha256: str
    image_ids: NDArray[np.str_]
    score_NL: NDArray[np.float32]
    findings: tuple[str, ...]

    def covers(self, part: Labelled) -> bool:
        """True where every image of the part has scores."""
        return bool(part.table["image"].isin(self.image_ids).all())


def parse_named(option: str) -> tuple[str, Path]:
    """Name and file of `NAME=FILE`, as `--predictions` takes it.

    Raises:
        HarnessError: It has another form, or there is no such file.
    """
    name, _, file = (part.strip() for part in option.partition("="))
    if not name or not file:
        raise HarnessError(f"--predictions {option!r}: give NAME=FILE, such as resnet=scores.csv")
    path = Path(file).expanduser()
    if not path.is_file():
        raise HarnessError(f"--predictions {name}: there is no file {file}")
    return name, path


def join(scores: ForeignScores, part: Labelled) -> Predictions:
    """The scores of a part's images beside their labels; scores of others are left out.

    Raises:
        HarnessError: An image of the part has no scores.
    """
    assert scores.findings == part.findings
    images = part.table["image"]
    row_N = pd.Index(scores.image_ids).get_indexer(pd.Index(images))
    if (row_N < 0).any():
        missing = images[row_N < 0].to_numpy()
        raise HarnessError(
            f"{scores.path}: has no scores for {some_of(missing)}, of the {len(part):,} images "
            "of the test part"
        )
    num_others = len(scores.image_ids) - len(part)
    if num_others:
        log.info("%s: %s images outside the test part left out", scores.path, f"{num_others:,}")
    return Predictions(
        score_NL=scores.score_NL[row_N],
        label_NL=part.label_NL,
        is_known_NL=part.is_known_NL,
        image_ids=images.to_numpy(dtype=np.str_),
        patient_ids=part.table["patient"].to_numpy(dtype=np.str_),
        findings=part.findings,
    )


def read_scores(path: Path, *, findings: Sequence[str]) -> ForeignScores:
    """The scores of a CSV file: the image's name first, then a column for each finding.

    Or a row for each image and finding, under `image`, `finding` and `score` among others, as
    `harness predict --csv` writes it; folders before an image's name are passed over there.
    Findings may come in any order, in capitals or not, with blanks or underscores, and with one
    prefix common to all, such as `prob_`. Commas, semicolons or tabs part the columns.

    Raises:
        HarnessError: It is no such file, a finding is missing, unknown or there twice, an image is
            there twice, or a score is no number in [0, 1].
    """
    with reading(path):
        cells = _read_cells(path)
        sha256 = sha256_of_file(path)
    if all(_header(cells).count(name) == 1 for name in LONG):
        cells = _widened(cells, path)
    column_of = _columns([str(name) for name in cells.iloc[0]], findings, path)
    rows = cells.iloc[1:]
    rows = rows[(rows != "").any(axis="columns")]
    images = rows[0].str.strip()
    _check_images(images, path)
    texts = rows[list(column_of.values())].set_axis(list(column_of), axis="columns")
    return ForeignScores(
        path=path,
        sha256=sha256,
        image_ids=images.to_numpy(dtype=np.str_),
        score_NL=_scores(texts, images, path),
        findings=tuple(findings),
    )


def _read_cells(path: Path) -> pd.DataFrame:
    """Every cell as text, the header's too; a row's number is one less than its line's."""
    with path.open("rb") as stream:
        start = stream.read(HEADER_BYTES)
    if b"\0" in start:
        raise ValueError("it is not a text file")
    header = (start.splitlines() or [b""])[0]
    if len(header) == HEADER_BYTES:
        raise ValueError(f"its first line has {HEADER_BYTES:,} letters and goes on")
    text = header.decode("utf-8-sig")
    separator = max(SEPARATORS, key=text.count)
    if separator not in text:
        raise ValueError("its first line does not name an image column and findings")
    return pd.read_csv(
        path, header=None, sep=separator, dtype=str, keep_default_na=False,
        skip_blank_lines=False, skipinitialspace=True, encoding="utf-8-sig",
    )  # fmt: skip


def _header(cells: pd.DataFrame) -> list[str]:
    return [str(name).strip().casefold() for name in cells.iloc[0]]


def _widened(cells: pd.DataFrame, path: Path) -> pd.DataFrame:
    """A row for each image and finding as a row for each image, numbered by its first line."""
    rows = cells.set_axis(_header(cells), axis="columns").iloc[1:][list(LONG)]
    rows = rows[(rows != "").any(axis="columns")].apply(lambda texts: texts.str.strip())
    if rows.empty:
        raise HarnessError(f"{path}: has no rows of scores")
    files, rows["image"] = rows["image"], rows["image"].str.split(r"[/\\]", regex=True).str[-1]
    for is_wrong_N, told in (
        (files.groupby(rows["image"]).transform("nunique") > 1, "is the name of two files"),
        (rows.duplicated(["image", "finding"]), "has a second score for {finding}"),
    ):
        if is_wrong_N.any():
            row = rows[is_wrong_N].iloc[0].map(shortened)
            raise HarnessError(
                f"{path}:{rows.index[is_wrong_N][0] + 1}: the image {row['image']!r} "
                f"{told.format(finding=row['finding'])}{_more(is_wrong_N.sum())}"
            )
    first_line = rows.index.to_series().groupby(rows["image"]).min()
    wide = rows.pivot(index="image", columns="finding", values="score").fillna("")
    header = pd.DataFrame([["image", *wide.columns]])
    body = wide.reset_index().set_axis(header.columns, axis="columns")
    return pd.concat([header, body.set_axis(first_line[wide.index], axis="index").sort_index()])


# Columns ----------------------------------------------------------------------------------------


def _columns(header: list[str], findings: Sequence[str], path: Path) -> dict[str, int]:
    """The column of each finding, in the order of the findings."""
    wanted = {_plain(finding): finding for finding in findings}
    plain = [_plain(name) for name in header]
    prefix = _prefix(set(plain), list(wanted))
    named = [
        wanted.get(name.removeprefix(prefix)) if name.startswith(prefix) else None for name in plain
    ]
    if named[0]:
        raise HarnessError(f"{path}:1: the first column is {named[0]}, not the image's name")
    column_of: dict[str, int] = {}
    for column, finding in list(enumerate(named))[1:]:
        shown = shortened(header[column])
        if finding is None:
            raise HarnessError(
                f"{path}:1: unknown finding {shown!r}{did_you_mean(shown, findings)}"
            )
        if finding in column_of:
            first = header[column_of[finding]]
            raise HarnessError(f"{path}:1: {finding} has two columns, {first!r} and {shown!r}")
        column_of[finding] = column
    missing = [finding for finding in findings if finding not in column_of]
    if missing:
        raise HarnessError(f"{path}:1: has no column for {', '.join(missing)}")
    return {finding: column_of[finding] for finding in findings}


def _plain(name: str) -> str:
    """`Pleural_Thickening`, `pleural thickening` and `PleuralThickening` are one name."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def _prefix(names: set[str], wanted: list[str]) -> str:
    """What stands before most of the findings; the shortest where several do."""
    found = {
        name.removesuffix(finding) for name in names for finding in wanted if name.endswith(finding)
    }

    def num_matched(prefix: str) -> int:
        return len(names & {prefix + finding for finding in wanted})

    return max(["", *sorted(found, key=lambda prefix: (len(prefix), prefix))], key=num_matched)


# Rows -------------------------------------------------------------------------------------------


def _check_images(images: "pd.Series[str]", path: Path) -> None:
    if images.empty:
        raise HarnessError(f"{path}: has no rows of scores")
    for is_wrong_N, told in (
        (images == "", "no image is named"),
        (
            images.str.len() > LONGEST_NAME,
            f"{{!r}} is no image's name: over {LONGEST_NAME} letters",
        ),
        (images.duplicated(), "the image {!r} is named a second time"),
    ):
        if is_wrong_N.any():
            line, name = images.index[is_wrong_N][0] + 1, shortened(images[is_wrong_N].iloc[0])
            raise HarnessError(f"{path}:{line}: {told.format(name)}{_more(is_wrong_N.sum())}")


def _scores(texts: pd.DataFrame, images: "pd.Series[str]", path: Path) -> NDArray[np.float32]:
    """float32, N x L; what is checked are the numbers as they stand in the file."""
    score_NL = texts.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    for is_wrong_NL, told in (
        (np.isnan(score_NL), "is not a number"),
        ((score_NL < 0) | (score_NL > 1), "is outside [0, 1]; give probabilities"),
    ):
        if is_wrong_NL.any():
            row, column = np.argwhere(is_wrong_NL)[0]
            raise HarnessError(
                f"{path}:{images.index[row] + 1}: {shortened(images.iloc[row])}: the score "
                f"{shortened(str(texts.iat[row, column]))!r} of {texts.columns[column]} {told}"
                f"{_more(is_wrong_NL.sum())}"
            )
    return score_NL.astype(np.float32)


def _more(count: int) -> str:
    return f" ({count - 1:,} more like it)" if count > 1 else ""
