"""`Labelled`: the images of a part and their labels, from a store or from a label table alone."""

import gzip
import hashlib
import logging
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.files import sha256_of_file, sha256_of_json
from harness.core.findings import FINDINGS
from harness.data.nih_tables import read_image_list, read_label_table
from harness.data.store import ImageStore

log = logging.getLogger(__name__)

UNREADABLE = (OSError, EOFError, ValueError, zlib.error)
"""What is raised for files that are absent, cut off, or something else."""
SHOWN_LETTERS = 60
"""A cell or a name is cut to this length in messages: it may have 100 million."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """The images of a test part, and all that is known of them but their pixels.

    Attributes:
        table: A row for each with image, patient, age, sex, view and a column per finding, bool or
            nullable boolean, as in `ImageStore.table`.
        source: What the labels were read from, for messages.
        labels_sha256: Of the label table, unpacked.
    """

    table: pd.DataFrame
    findings: tuple[str, ...]
    source: str
    label_version: str
    labels_sha256: str

    def __len__(self) -> int:
        return len(self.table)

    @property
    def label_NL(self) -> NDArray[np.bool_]:  # noqa: N802
        """bool, N x L; False where a label is not known."""
        labels = self.table[list(self.findings)]
        return labels.astype("boolean").fillna(False).to_numpy(dtype=np.bool_)

    @property
    def is_known_NL(self) -> NDArray[np.bool_]:  # noqa: N802
        """bool, N x L: which labels are known."""
        return self.table[list(self.findings)].notna().to_numpy(dtype=np.bool_)

    @cached_property
    def sha256(self) -> str:
        """Names the images, whatever their order; for a test part that is not of a split."""
        return sha256_of_json({"test": sorted(map(str, self.table["image"]))})

    @classmethod
    def of_store(cls, store: ImageStore, row_N: NDArray[np.integer[Any]]) -> "Labelled":
        """Some rows of an image store, such as those of its split's test part."""
        return cls(
            table=store.table.iloc[row_N].reset_index(drop=True),
            findings=store.findings,
            source=str(store.path),
            label_version=store.manifest.label_version,
            labels_sha256=store.manifest.labels_sha256,
        )

    def only(self, images: Iterable[str], *, where: Path) -> "Labelled":
        """Some of the images, in the order of the table.

        Args:
            where: The file that names the images, for messages.

        Raises:
            HarnessError: There are none, or one is not in the table.
        """
        names = pd.Index(list(images), dtype=self.table["image"].dtype)
        if names.empty:
            raise HarnessError(f"{where}: names no image")
        strange = names[~names.isin(self.table["image"])]
        if len(strange):
            raise HarnessError(f"{where}: {self.source} does not know {some_of(strange)}")
        kept = self.table[self.table["image"].isin(names)].reset_index(drop=True)
        return replace(self, table=kept)


def labels_of(path: Path, *, listed: Path | None = None) -> Labelled:
    """The images of an NIH label table (of 2017 or 2020, `.csv` or `.csv.gz`); needs no store.

    Args:
        listed: A file that names the images that are wanted, one a line; by default all are.

    Raises:
        HarnessError: It is no label table, or the list names no image or one that it lacks.
    """
    with reading(path):
        table, notes = read_label_table(path)
        sha256 = _sha256_unpacked(path)
    for note in notes:
        log.info("%s: %s", path, note)
    labelled = Labelled(
        table=table,
        findings=FINDINGS,
        source=str(path),
        label_version=_label_version(path.name),
        labels_sha256=sha256,
    )
    if listed is None:
        return labelled
    with reading(listed):
        images = read_image_list(listed)
    return labelled.only(images, where=listed)


def _label_version(file: str) -> str:
    """As in stores of the release's own tables; the name of any other."""
    if "v2020" in file:
        return "v2020"
    return "v2017" if file.startswith("Data_Entry_2017") else file


def _sha256_unpacked(path: Path) -> str:
    if path.suffix != ".gz":
        return sha256_of_file(path)
    with gzip.open(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What goes wrong in opening and reading a table at `path` becomes one line."""
    try:
        yield
    except UNREADABLE as error:
        told = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise HarnessError(f"{path}: cannot be read as a table in CSV form ({told})") from None


def some_of(images: Sequence[str] | NDArray[np.str_] | pd.Index) -> str:
    """How many images these are, and the name of the first."""
    such_as = "image" if len(images) == 1 else "images, such as"
    return f"{len(images):,} {such_as} {shortened(str(images[0]))!r}"


def shortened(text: str) -> str:
    """A text from a file as a message can show it."""
    return text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}..."
