"""`PartialStore`: a store that is being filled from image files, and survives a kill at any moment.

It lies in a hidden folder beside the store that it will become:

    .nih-256.partial/images.npy        every image of the source, a row each
    .nih-256.partial/work/inputs.json  what it is made from; the last file that `begin` writes
    .nih-256.partial/work/done.npy     uint8, 1 for every row whose pixels are in images.npy
    .nih-256.partial/manifest.json     written when all is decided; then only renames are left
"""

import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.files import read_json, write_atomic, write_json
from harness.data.decode import CHUNK_IMAGES, decode_all, num_cpus
from harness.data.manifest import Failure, StoreOrigin, read_manifest
from harness.data.store import (
    ImageStore,
    complete_store,
)

Progress = Callable[[int, int], None]
"""Called with the number of images that are done, and of all."""

COPY_ROWS = 1024

logger = logging.getLogger(__name__)


class PartialStore:
    """Rows of pixels on disk, and which of them are done."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder = folder
        self.out = out
        self.images_file = folder / "images.npy"
        self._kept_file = folder / "work" / "kept.npy"
        self._done_file = folder / "work" / "done.npy"
        self._inputs_file = folder / "work" / "inputs.json"

    @classmethod
    def begin(
        cls, out: Path, *, inputs: dict[str, str], num_images: int, size_px: int
    ) -> "PartialStore":
        """The unfinished store of these inputs, begun anew where there is none.

        Raises:
            HarnessError: One was begun from other inputs, or the disk is too small.
        """
        partial = cls(out.with_name(f".{out.name}.partial"), out)
        begun_with = partial._inputs()
        if begun_with is None:
            partial._create(inputs, num_images, size_px)
        elif difference := first_difference(begun_with, inputs):
            raise HarnessError(
                f"{partial.folder}: begun with {difference}; remove this folder to begin again, "
                "or choose another --out"
            )
        return partial

    @property
    def is_complete(self) -> bool:
        """True where a kill came between the manifest and the last rename."""
        return (self.folder / "manifest.json").exists()

    def fill(
        self,
        files: Mapping[str, Path | None],
        *,
        max_bad: int,
        num_workers: int | None = None,
        progress: Progress | None = None,
    ) -> dict[str, str]:
        """Decode every image that is not done yet.

        Args:
            files: The file of each image in the order of the rows; None where there is none.
            max_bad: Images that may fail.
            num_workers: Processes; by default one per processor.

        Returns:
            The images that failed, and why.

        Raises:
            HarnessError: More than `max_bad` images failed; those that are done stay done.
        """
        images, num_images = list(files), len(files)
        size_px = np.load(self.images_file, mmap_mode="r", allow_pickle=False).shape[1]
        done_N = np.load(self._done_file, mmap_mode="r+", allow_pickle=False)
        to_do = [(row, file) for row, file in enumerate(files.values()) if not done_N[row]]
        failures = {images[row]: "no such file" for row, file in to_do if file is None}
        self._check_failures(failures, max_bad)
        jobs = [(row, file) for row, file in to_do if file is not None]
        num_seen = num_images - len(jobs)
        if done_N.any():
            logger.info("%s: continues, %d of %d images are done", self.out, num_seen, num_images)
        num_workers = max(1, min(num_workers or num_cpus(), len(jobs) // CHUNK_IMAGES))
        for results in decode_all(jobs, self.images_file, size_px=size_px, num_workers=num_workers):
            done_N[[row for row, reason in results if not reason]] = 1
            done_N.flush()
            failures |= {images[row]: reason for row, reason in results if reason}
            self._check_failures(failures, max_bad)
            num_seen += len(results)
            if progress:
                progress(num_seen, num_images)
        return dict(sorted(failures.items()))

    def complete(
        self,
        *,
        table: pd.DataFrame,
        boxes: pd.DataFrame,
        failures: dict[str, str],
        origin: StoreOrigin,
    ) -> None:
        """Write everything else beside the images, without the rows of those that failed."""
        pixels = np.load(self.images_file, mmap_mode="r", allow_pickle=False)
        self._kept_file.unlink(missing_ok=True)
        if failures:
            is_kept_N = ~table["image"].isin(list(failures)).to_numpy()
            pixels = _copy_rows(pixels, np.flatnonzero(is_kept_N), self._kept_file)
            table = table[is_kept_N]
        named = tuple(Failure(image=image, reason=reason) for image, reason in failures.items())
        complete_store(
            self.folder,
            images=pixels,
            table=table,
            boxes=boxes[boxes["image"].isin(table["image"])],
            origin=origin.model_copy(update={"failures": named}),
        )

    def publish(self) -> ImageStore:
        """Move the complete store to its place; every step may be repeated after a kill."""
        assert self.is_complete
        if self._kept_file.exists():
            self._kept_file.replace(self.images_file)
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        self.folder.rename(self.out)
        return ImageStore.open(self.out)

    def _inputs(self) -> dict[str, str] | None:
        """What the folder was begun with; None where nothing in it can be continued."""
        if self.is_complete:
            return read_manifest(self.folder).inputs
        return dict(read_json(self._inputs_file)) if self._inputs_file.exists() else None

    def _create(self, inputs: dict[str, str], num_images: int, size_px: int) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self._inputs_file.parent.mkdir(parents=True)
        needed_mb = num_images * size_px**2 / 1e6
        free_mb = shutil.disk_usage(self.folder).free / 1e6
        # A memory map on a full disk ends the process with a bus error, without a word.
        if needed_mb > free_mb:
            raise HarnessError(
                f"{self.out}: the images take {needed_mb:.0f} MB, the disk has {free_mb:.0f} MB "
                "left; choose a smaller size or another --out"
            )
        _create_array(self.images_file, (num_images, size_px, size_px))
        _create_array(self._done_file, (num_images,))
        write_json(self._inputs_file, inputs)

    def _check_failures(self, failures: dict[str, str], max_bad: int) -> None:
        if len(failures) <= max_bad:
            return
        named = [f"{image} ({reason})" for image, reason in sorted(failures.items())[:3]]
        raise HarnessError(
            f"{self.out}: {len(failures)} images cannot be had, more than the {max_bad} that "
            f"--max-bad allows: {', '.join(named)}{', ...' if len(failures) > 3 else ''}; mend "
            "them or raise --max-bad, then run it again: what is done is kept"
        )


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


def first_difference(theirs: dict[str, str], ours: dict[str, str]) -> str:
    """`size_px 128, now 256` for the first entry that differs; empty where none does."""
    for name in sorted(theirs.keys() | ours.keys()):
        was, now = theirs.get(name, "absent"), ours.get(name, "absent")
        if was != now:
            return f"{name} {was[:12]}, now {now[:12]}"
    return ""


def _create_array(path: Path, shape: tuple[int, ...]) -> None:
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape).flush()


def _copy_rows(pixels: NDArray[np.uint8], rows: NDArray[np.intp], path: Path) -> NDArray[np.uint8]:
    """Some rows of an array in a file of their own, written whole or not at all."""

    def write(partial: Path) -> None:
        copy = np.lib.format.open_memmap(
            partial, mode="w+", dtype=np.uint8, shape=(len(rows), *pixels.shape[1:])
        )
        for start in range(0, len(rows), COPY_ROWS):
            copy[start : start + COPY_ROWS] = pixels[rows[start : start + COPY_ROWS]]
        copy.flush()

    write_atomic(path, write)
    kept: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    return kept
