"""`prepare`: image stores of other sources, each read by a module of its own.

To add a source, write a module with a function `read`, from the source's folder to a `SourceTable`,
and name it in `READERS`: `harness data prepare` has it then, and its findings are the store's.
Readers of CSV tables find what they share in `csv_tables.py`.

Nothing heavy is imported here before it is needed: the command line lists the readers.
"""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.core.errors import HarnessError, did_you_mean
from harness.core.progress import Progress, ignore

if TYPE_CHECKING:
    from harness.data.preparing import SourceTable
    from harness.data.store import ImageStore


class Reader(NamedTuple):
    """A source that can be read.

    Attributes:
        module: Has the function `read`, from the source's folder to a `SourceTable`.
        images: What is read, as help goes on after "an image store of".
        details: What else its help says.
    """

    module: str
    images: str
    details: str = ""

    def read(self, root: Path) -> "SourceTable":
        """The tables of the folder `root`, and where its images are.

        Raises:
            HarnessError: The source is not as its reader expects it.
        """
        table: SourceTable = import_module(self.module).read(root)
        return table


def prepare(
    reader: str,
    root: Path,
    out: Path,
    *,
    size_px: int = 256,
    max_bad: int = 10,
    num_workers: int | None = None,
    progress: Progress = ignore,
) -> "ImageStore":
    """The image store at `out` of a source in the folder `root`, made, continued or opened.

    Args:
        reader: A name of `READERS`.
        size_px: Side of the stored squares.
        max_bad: Images that may be missing or unreadable; they are left out and listed.
        num_workers: Threads that decode; by default one per processor.
        progress: Called with the number of images that are done, and of all.

    Raises:
        HarnessError: There is no such reader, the source is not as it expects it, too many images
            fail, or `out` holds something else.
    """
    from harness.data.preparing import prepare_store

    if reader not in READERS:
        known = ", ".join(READERS)
        raise HarnessError(
            f"no reader of {reader!r}{did_you_mean(reader, READERS)}; known: {known}"
        )
    root, out = Path(root).resolve(), Path(out).resolve()
    source = READERS[reader].read(root)
    origin = source.origin.model_copy(update={"box_frame_px": size_px})
    return prepare_store(
        replace(source, origin=origin),
        out,
        size_px=size_px,
        max_bad=max_bad,
        num_workers=num_workers,
        progress=progress,
    )


READERS: dict[str, Reader] = {
    "folder": Reader(
        "harness.data.own_folder",
        "your own images",
        "A file labels.csv lies beside them. Its columns image, patient, age, sex, view and part "
        "are known; every other is a finding: 1, 0, or empty where it is not known.",
    ),
    "chexpert": Reader(
        "harness.data.chexpert",
        "CheXpert's frontal images",
        "Uncertain labels are kept as unknown.",
    ),
}
