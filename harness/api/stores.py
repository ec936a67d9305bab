"""Image stores: made of a data set, drawn as a phantom, opened, checked."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from harness.api.calls import AnyPath, AnyStore, called, store_path
from harness.core.errors import HarnessError, did_you_mean
from harness.data.store import ImageStore

if TYPE_CHECKING:
    from harness.data.checks import StoreReport

__all__ = [
    "Checked", "ImageStore", "check_store", "make_phantom", "open_store", "prepare",
    "prepare_chestmnist",
]  # fmt: skip


@dataclass(frozen=True)
class Checked:
    """What the checks of an image store found, and the page that shows it.

    Attributes:
        found: All of it, as `check.json` has it.
        page: The page for the browser, with pictures of what is odd.
    """

    found: "StoreReport"
    page: Path

    @property
    def has_leak(self) -> bool:
        """True where no figure of a test set would mean anything."""
        return self.found.has_leak

    def frame(self) -> pd.DataFrame:
        """A row for each check, by its name: `check`, `verdict`, `found`.

        The verdict is `good`, `note`, `doubt` or `leak`, from the best to the worst.
        """
        rows = {
            name: {"check": check.title, "verdict": check.verdict.value, "found": check.summary}
            for name, check in self.found.checks.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")

    def rows(self, name: str) -> pd.DataFrame:
        """What one check lists: images, patients, findings or others, in columns of its own.

        Raises:
            HarnessError: There is no such check.
        """
        checks = self.found.checks
        if name not in checks:
            near = did_you_mean(name, checks)
            raise HarnessError(f"no check {name!r}{near}; there are {', '.join(checks)}")
        return pd.DataFrame(list(checks[name].rows), columns=list(checks[name].columns))

    def _repr_html_(self) -> str:
        """What a notebook shows: the checks, in full."""
        with pd.option_context("display.max_colwidth", None):
            text: str = self.frame().to_html(index=False)
        return text


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
            frontal images. `folder`: your own images, with a labels.csv beside them. ChestMNIST
            has a function of its own, `prepare_chestmnist`.
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
    from harness.data.nih import prepare_nih
    from harness.data.readers import READERS
    from harness.data.readers import prepare as prepare_by

    names = ("nih", *READERS)
    if source not in names:
        near = did_you_mean(source, names)
        raise HarnessError(
            f"source {source!r}: give one of {', '.join(names)}{near}; "
            "ChestMNIST is harness.prepare_chestmnist"
        )
    make = prepare_nih if source == "nih" else partial(prepare_by, source)
    with progress_bar("images") as progress:
        return make(
            _absolute(root), _absolute(out),
            size_px=size, max_bad=max_bad, num_workers=workers, progress=progress,
        )  # fmt: skip


@called
def prepare_chestmnist(
    out: AnyPath,
    *,
    file: AnyPath | None = None,
    size: int = 28,
    base: str = "",
    allow_http: bool = False,
) -> ImageStore:
    """The image store at `out` of ChestMNIST, made or, if done, opened.

    Its split is a random one and not NIH's official, and it names no patients; `manifest.notes` of
    the store says what follows.

    Args:
        file: `chestmnist.npz`, or one of 64 to 224 px; None to have it fetched to the folder of
            `out`, where it stays.
        size: Which to fetch: 28, 64, 128 or 224 px.
        base: Address of a mirror's folder; without, MedMNIST's own record.
        allow_http: Take plain http from another machine.

    Raises:
        HarnessError: The file is none of the published ones or cannot be had, or `out` holds
            something else.
        KeyboardInterrupt: Interrupted; the same call goes on from there.
    """
    from harness.console import progress_bar
    from harness.data.chestmnist import PackAddress
    from harness.data.chestmnist import prepare_chestmnist as make
    from harness.data.http_ranges import Terms

    address = PackAddress(size, base, Terms(allow_http=allow_http))
    with progress_bar("MB", unit=10**6) as progress:
        return make(
            None if file is None else _absolute(file), _absolute(out),
            address=address, progress=progress,
        )  # fmt: skip


@called
def check_store(store: AnyStore, *, split: str = "", out: AnyPath | None = None) -> Checked:
    """Look through an image store for leaks, odd labels and images that are none.

    Args:
        store: The store, or where it lies.
        split: Whose parts must not leak; without, `official`, or `as_given` where the source gives
            the parts itself.
        out: Folder of the page; without, the store itself.

    Raises:
        HarnessError: There is no store, no such split, or the store does not fit it.
    """
    from harness.console import progress_bar
    from harness.data.checks import check_store as check
    from harness.data.checks import write_report

    images = ImageStore.open(store_path(store))
    with progress_bar("images") as progress:
        report = check(images, split=split, progress=progress)
    page, _ = write_report(report, images, images.path if out is None else _absolute(out))
    return Checked(report, page)


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
