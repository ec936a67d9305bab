"""A store of image files made, continued or opened: what every source of images has in common."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from harness.core.errors import HarnessError
from harness.core.locks import held
from harness.core.progress import Progress, ignore
from harness.data.filling import Found
from harness.data.manifest import StoreOrigin, read_manifest
from harness.data.partial_store import PartialStore, first_difference
from harness.data.store import ImageStore, empty_boxes, lock_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class SourceTable:
    """A source, read and checked; its images are only listed.

    Attributes:
        table: The rows and columns of `ImageStore.table`.
        files: Where each image is, in the order of the rows: its file, why it has none, or None
            where no folder has it.
        origin: What the store's manifest says; its `inputs` are hashes of the tables.
        boxes: The rows of `ImageStore.boxes`.
        archives: Archives that may have the images that no folder has.
    """

    table: pd.DataFrame
    files: Found
    origin: StoreOrigin
    boxes: pd.DataFrame = field(default_factory=empty_boxes)
    archives: tuple[Path, ...] = ()


def prepare_store(
    source: SourceTable,
    out: Path,
    *,
    size_px: int,
    max_bad: int,
    num_workers: int | None = None,
    progress: Progress = ignore,
) -> ImageStore:
    """The image store at `out` of a source, made or continued or, if done, opened.

    Args:
        size_px: Side of the stored squares.
        max_bad: Images that may be missing or unreadable; they are left out and listed in the
            manifest.
        num_workers: Threads that decode; by default one per processor.
        progress: Called with the number of images that are done, and of all.

    Raises:
        HarnessError: Too many images fail, `out` holds something else, or another process makes it.
    """
    inputs = source.origin.inputs | {"size_px": str(size_px)}
    with making(out, inputs) as store:
        if store is not None:
            num_failed = len(store.manifest.failures)
            logger.info("%s: already prepared, %d images, %d left out", out, len(store), num_failed)
            return store
        partial = PartialStore.begin(
            out, inputs=inputs, num_images=len(source.table), size_px=size_px
        )
        if not partial.is_complete:
            failures = partial.filling.fill(
                source.files,
                archives=source.archives,
                max_bad=max_bad,
                num_workers=num_workers,
                progress=progress,
            )
            for image, reason in failures.items():
                logger.warning("%s: left out (%s)", image, reason)
            notes = source.origin.notes + partial.filling.notes
            partial.complete(
                table=source.table,
                boxes=source.boxes,
                failures=failures,
                origin=source.origin.model_copy(update={"inputs": inputs, "notes": notes}),
            )
        return partial.publish()


@contextmanager
def making(out: Path, inputs: dict[str, str]) -> Iterator[ImageStore | None]:
    """The store at `out` where it is finished, or None and the right to make it.

    A store that is finished needs no lock, and may lie where nothing can be written.

    Raises:
        HarnessError: It was made from other inputs, something else lies there, or another process
            makes it.
    """
    store = finished_store(out, inputs)
    if store is not None:
        yield store
        return
    with held(lock_of(out), of=out):
        yield finished_store(out, inputs)  # by whoever held the lock a moment ago


def finished_store(out: Path, inputs: dict[str, str]) -> ImageStore | None:
    """The store at `out` where it is finished, or None where nothing is there.

    Raises:
        HarnessError: It was made from other inputs, or something else lies there.
    """
    if not out.exists():
        return None
    difference = first_difference(read_manifest(out).inputs, inputs)
    if difference:
        raise HarnessError(f"{out}: made with {difference}; choose another --out")
    return ImageStore.open(out)
