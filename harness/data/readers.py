"""`READERS`: the sources of images beside the NIH release, each read by an adapter.

To add a source, write a module with a function from its folder to a `SourceTable` and name it in
`READERS`: its findings are then the store's, and the tests in `tests/contracts` cover it.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.core.progress import Progress, ignore
from harness.data.chexpert import read_chexpert
from harness.data.folder import read_folder
from harness.data.preparing import SourceTable, prepare_store
from harness.data.store import ImageStore

READERS: dict[str, Callable[[Path], SourceTable]] = {
    "folder": read_folder,
    "chexpert": read_chexpert,
}


def prepare(
    reader: str,
    root: Path,
    out: Path,
    *,
    size_px: int = 256,
    max_bad: int = 10,
    num_workers: int | None = None,
    progress: Progress = ignore,
) -> ImageStore:
    """The image store at `out` of a source in the folder `root`, made, continued or opened.

    Args:
        reader: A name of `READERS`.
        size_px: Side of the stored squares.
        max_bad: Images that may be missing or unreadable; they are left out and listed.
        num_workers: Threads that decode; by default one per processor.
        progress: Called with the number of images that are done, and of all.

    Raises:
        HarnessError: The source is not as its reader expects it, too many images fail, or `out`
            holds something else.
    """
    root, out = Path(root).resolve(), Path(out).resolve()
    source = READERS[reader](root)
    origin = source.origin.model_copy(update={"box_frame_px": size_px})
    return prepare_store(
        replace(source, origin=origin),
        out,
        size_px=size_px,
        max_bad=max_bad,
        num_workers=num_workers,
        progress=progress,
    )
