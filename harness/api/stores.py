"""Image stores: made of a data set, drawn as a phantom, opened."""

from pathlib import Path
from typing import Literal

from harness.api.calls import AnyPath, called
from harness.data.store import ImageStore

__all__ = ["ImageStore", "make_phantom", "open_store", "prepare"]


@called
def open_store(path: AnyPath) -> ImageStore:
    """The image store in a folder: its `table`, `boxes`, `images` and `findings`.

    Raises:
        HarnessError: There is no store, or its parts do not belong together.
    """
    return ImageStore.open(_absolute(path))


@called
def prepare(
    source: Literal["nih", "chexpert", "folder"],
    *,
    root: AnyPath,
    out: AnyPath,
    size: int = 256,
    max_bad: int = 10,
    workers: int | None = None,
) -> ImageStore:
    """The image store at `out` of a data set, made, continued or, if done, opened.

    Args:
        source: `nih`: the release of ChestX-ray14, unpacked or in its archives. `chexpert`: its
            frontal images. `folder`: your own images, with a labels.csv beside them.
        root: Folder of the tables and the images.
        size: Side of the stored squares, in pixels.
        max_bad: Images that may be missing or unreadable; they are left out and listed.
        workers: Threads that decode; None for one per core.

    Raises:
        HarnessError: The source is not as it should be, too many images fail, or `out` holds
            something else.
        KeyboardInterrupt: Interrupted; the same call goes on from there.
    """
    from harness.console import progress_bar
    from harness.core.errors import HarnessError, did_you_mean
    from harness.data.nih import prepare_nih
    from harness.data.readers import READERS
    from harness.data.readers import prepare as prepare_by

    names = ("nih", *READERS)
    if source not in names:
        near = did_you_mean(source, names)
        raise HarnessError(f"source {source!r}: give one of {', '.join(names)}{near}")
    with progress_bar("images") as progress:
        if source == "nih":
            return prepare_nih(
                _absolute(root), _absolute(out),
                size_px=size, max_bad=max_bad, num_workers=workers, progress=progress,
            )  # fmt: skip
        return prepare_by(
            source, _absolute(root), _absolute(out),
            size_px=size, max_bad=max_bad, num_workers=workers, progress=progress,
        )  # fmt: skip


@called
def make_phantom(out: AnyPath, *, images: int = 2000, size: int = 256, seed: int = 0) -> ImageStore:
    """A store of SYNTHETIC chest radiographs at `out`, drawn or, if it is there, opened.

    Args:
        images: Their number.
        size: Their side, in pixels.

    Raises:
        HarnessError: `out` holds something else, or too few images are asked for.
    """
    from harness.console import progress_bar
    from harness.data.phantom import make_phantom as draw

    folder = _absolute(out)
    if (folder / "manifest.json").exists():
        store = ImageStore.open(folder)
        asked = {"seed": str(seed), "size_px": str(size)}
        is_same = len(store) == images and asked.items() <= store.manifest.inputs.items()
        if is_same and store.manifest.source == "phantom":
            return store
    with progress_bar("images") as progress:
        return draw(folder, num_images=images, size_px=size, seed=seed, progress=progress)


def _absolute(path: AnyPath) -> Path:
    return Path(path).resolve()
