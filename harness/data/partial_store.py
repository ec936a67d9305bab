"""`PartialStore`: a store that is being made from image files, and survives a kill at any moment.

It lies in a hidden folder beside the store that it will become. Beside the files of its `Filling`:

    .nih-256.partial/work/inputs.json  what it is made from; the last file that `begin` writes
    .nih-256.partial/work/kept.npy     the images without those that failed, where some did
    .nih-256.partial/manifest.json     written when all is decided; then only renames are left
"""

import shutil
from pathlib import Path

import pandas as pd

from harness.core.errors import HarnessError
from harness.core.files import check_space, read_json, write_json
from harness.data.filling import Filling
from harness.data.manifest import Failure, StoreOrigin, read_manifest
from harness.data.rows_file import RowsFile, copy_rows
from harness.data.store import ImageStore, complete_store


class PartialStore:
    """The folder of a store that is not finished."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder = folder
        self.out = out
        self.filling = Filling(folder, out)
        self._kept_file = folder / "work" / "kept.npy"
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

    def complete(
        self,
        *,
        table: pd.DataFrame,
        boxes: pd.DataFrame,
        failures: dict[str, str],
        origin: StoreOrigin,
    ) -> None:
        """Write everything else beside the images, without the rows of those that failed."""
        images_file = self.filling.images_file
        self._kept_file.unlink(missing_ok=True)
        if failures:
            is_kept_N = ~table["image"].isin(list(failures)).to_numpy()
            copy_rows(images_file, is_kept_N, self._kept_file)
            images_file = self._kept_file
            table = table[is_kept_N]
        told = tuple(Failure(image=image, reason=reason) for image, reason in failures.items())
        with RowsFile(images_file) as images:
            complete_store(
                self.folder,
                images=images,
                table=table,
                boxes=boxes[boxes["image"].isin(table["image"])],
                origin=origin.model_copy(update={"failures": told}),
            )

    def publish(self) -> ImageStore:
        """Move the complete store to its place; every step may be repeated after a kill."""
        assert self.is_complete
        if self._kept_file.exists():
            self._kept_file.replace(self.filling.images_file)
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        self.folder.rename(self.out)
        return ImageStore.open(self.out)

    def _inputs(self) -> dict[str, str] | None:
        """What the folder was begun with; None where nothing in it can be continued."""
        if self.is_complete:
            return read_manifest(self.folder).inputs
        is_begun = self._inputs_file.exists() and self.filling.is_begun
        return dict(read_json(self._inputs_file)) if is_begun else None

    def _create(self, inputs: dict[str, str], num_images: int, size_px: int) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        check_space(self.out, num_images * size_px**2)
        self._inputs_file.parent.mkdir(parents=True)
        self.filling.create(num_images, size_px)
        write_json(self._inputs_file, inputs)


def first_difference(theirs: dict[str, str], ours: dict[str, str]) -> str:
    """`size_px 128, now 256` for the first entry that differs; empty where none does."""
    for name in sorted(theirs.keys() | ours.keys()):
        was, now = theirs.get(name, "absent"), ours.get(name, "absent")
        if was != now:
            return f"{name} {was[:12]}, now {now[:12]}"
    return ""
