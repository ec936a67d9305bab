"""How fast images are decoded and stored, beside Pillow on the same files (and see `reading.py`).

Figures of one process are per second of a core, those of several per second by the clock. The best
of a few passes counts: what else the machine does can only slow one down.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.core.errors import HarnessError
from harness.core.machine import num_cpus
from harness.data.decode import decode_gray
from harness.data.decoding import CHUNK_IMAGES, Files, Target, decode_all
from harness.data.phantom import make_phantom
from harness.data.rows_file import create_rows
from harness.speed.instruments import best_s, core_seconds
from harness.speed.reading import BATCH_SIZE, INPUT_PX, NUM_STORED, SIZE_PX, reading_rows
from harness.speed.report import Row, Speed

ORIGINAL_PX = 1024
NUM_PASSES = 3
PIECES_EACH = (1, 3)
"""Pieces of `CHUNK_IMAGES` that each worker stores, with a start and without."""
TOOLS = (
    "pillow", "isal", "numba", "numpy", "torch", "torchvision", "torchxrayvision", "scikit-image",
    "opencv-python-headless",
)  # fmt: skip


def measure_data(num_images: int, *, root: Path | None, tell: Callable[[str], None]) -> Speed:
    """Measure on `num_images` PNG files from `root`, or drawn ones where it is None.

    Raises:
        HarnessError: `root` has no PNG files.
    """
    with tempfile.TemporaryDirectory(prefix="harness-speed-") as scratch:
        folder = Path(scratch).resolve()
        if root is None:
            tell(f"nothing yet: {num_images} images of {ORIGINAL_PX} px are drawn")
        files = draw_files(folder, num_images) if root is None else find_files(root, num_images)
        rows = [*decoding_rows(files, folder, tell), *reading_rows(files, folder, tell)]
        kilobytes = sum(file.stat().st_size for file in files) / len(files) / 1e3
    source = "drawn" if root is None else "given by --root"
    notes = NOTES.format(
        num_images=len(files),
        source=source,
        kilobytes=kilobytes,
        original_px=ORIGINAL_PX,
        size_px=SIZE_PX,
        input_px=INPUT_PX,
        num_passes=NUM_PASSES,
        num_stored=NUM_STORED,
        batch_size=BATCH_SIZE,
    )
    return Speed(
        title="What the way of an image costs",
        rows=tuple(rows),
        notes=notes,
        tools=TOOLS,
        figures={"source": source, "num_images": len(files), "kilobytes": kilobytes},
    )


def decoding_rows(
    files: Sequence[Path], folder: Path, tell: Callable[[str], None]
) -> Iterator[Row]:
    """From files to a store, as `harness data prepare` goes; the pixels are compared first."""
    yield Row(
        what="mean difference of the pixels from Pillow's",
        unit="gray levels",
        ours=gray_difference(files),
        goal=1,
    )
    tell(f"{len(files)} images, decoded by Pillow and by the harness")
    pillow_per_s, harness_per_s = side_by_side(files)
    yield Row(
        what="decoded and resized on one core",
        unit="images/s",
        ours=harness_per_s,
        peer=pillow_per_s,
        peer_name="Pillow: open, convert, resize",
        is_rate=True,
        goal=1.25,
    )
    if num_cpus() == 1:
        return
    stored_per_s = {}
    for num_workers in (1, 2):
        tell(f"the same, decoded into a store by {num_workers} workers")
        stored_per_s[num_workers] = stored(files, folder, num_workers)
    yield Row(
        what="decoded and stored for good by 2 workers",
        unit="images/s",
        ours=stored_per_s[2],
        peer=stored_per_s[1],
        peer_name="1 worker",
        is_rate=True,
        goal=1.8,
        limit="2 workers share what else runs on the machine; the disk is waited for",
    )


def find_files(root: Path, num_images: int) -> list[Path]:
    """The first PNG files of `ORIGINAL_PX` in a folder."""
    files = []
    for file in sorted(root.glob("*.png")):
        with Image.open(file) as image:
            if image.size == (ORIGINAL_PX, ORIGINAL_PX):
                files.append(file)
        if len(files) == num_images:
            break
    if not files:
        raise HarnessError(f"{root}: has no PNG files of {ORIGINAL_PX} x {ORIGINAL_PX} pixels")
    return files


def draw_files(folder: Path, num_images: int) -> list[Path]:
    """Phantom radiographs as PNG files."""
    store = make_phantom(folder / "drawn", num_images=num_images, size_px=ORIGINAL_PX)
    files = []
    for row, name in enumerate(store.table["image"]):
        files.append(folder / f"{row:04d}-{name}")
        Image.fromarray(store.images[row]).save(files[-1], "PNG")
    return files


def decode_with_pillow(file: Path) -> NDArray[np.uint8]:
    """What most training code does with a file."""
    with Image.open(file) as image:
        gray = image.convert("L").resize((SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR)
    return np.asarray(gray)


def side_by_side(files: Sequence[Path]) -> tuple[float, float]:
    """Images a second by Pillow and by the harness, in turn, so that both meet the same machine."""
    pillow_s, harness_s = [], []
    decode_gray(files[0], SIZE_PX)  # compiles
    for _ in range(NUM_PASSES):
        pillow_s.append(core_seconds(partial(_each, decode_with_pillow, files)))
        harness_s.append(core_seconds(partial(_each, partial(decode_gray, size_px=SIZE_PX), files)))
    return len(files) / min(pillow_s), len(files) / min(harness_s)


def gray_difference(files: Sequence[Path]) -> float:
    """Mean absolute difference in gray levels between Pillow's pixels and ours."""
    differences = [
        np.abs(decode_with_pillow(file).astype(int) - decode_gray(file, SIZE_PX)).mean()
        for file in files
    ]
    return float(np.mean(differences))


def stored(files: Sequence[Path], folder: Path, num_workers: int) -> float:
    """Images a second that `decode_all` decodes and writes to the disk for good.

    The time of few pieces of `CHUNK_IMAGES` is taken off that of more, so that what a start costs
    is not counted. The files are taken again and again.
    """
    few, more = (piece_s(files, folder, num_workers, num_each) for num_each in PIECES_EACH)
    return num_workers * (PIECES_EACH[1] - PIECES_EACH[0]) * CHUNK_IMAGES / max(more - few, 1e-9)


def piece_s(files: Sequence[Path], folder: Path, num_workers: int, num_each: int) -> float:
    """Seconds, the best of a few, in which each worker stores `num_each` pieces."""
    rows = list(enumerate(islice(cycle(files), num_each * num_workers * CHUNK_IMAGES)))
    pieces = [Files(rows[at : at + CHUNK_IMAGES]) for at in range(0, len(rows), CHUNK_IMAGES)]
    target = Target(folder / "pixels.npy", folder / "marks.npy")
    create_rows(target.images_file, (len(rows), SIZE_PX, SIZE_PX))
    create_rows(target.marks_file, (len(rows),))

    def decode() -> None:
        list(decode_all(pieces, target, num_workers=num_workers, is_over=bool))  # never over

    return best_s(decode, repeats=NUM_PASSES - 1)


def _each(decode: Callable[[Path], object], files: Sequence[Path]) -> None:
    for file in files:
        decode(file)


# The page ---------------------------------------------------------------------------------------

NOTES = """\
{num_images} PNG files of {original_px} x {original_px} pixels and {kilobytes:.0f} kB on average
({source}) become {size_px} x {size_px} gray pixels. Pillow opens, converts and resizes with its
antialiased bilinear filter. To store is what `harness data prepare` does: to decode and to wait
until the pixels are on the disk; starting the workers is left out.

A training image is read from a store of {num_stored} images of {size_px} px in the page cache, in
random batches of {batch_size}. The harness cuts a random box of 8 to 100 % of the area, resizes it
to {input_px} px with the antialiased bilinear filter, mirrors every other one and gives float32 in
[0, 1], as its own training does on a CPU. For a GPU it copies gray bytes and draws the boxes; the
GPU cuts. The peers read the original files, one by one as their data sets do: torchxrayvision's
`NIH_Dataset` with `XRayCenterCrop` and `XRayResizer({size_px})` (of scikit-image by default, or of
OpenCV), then torchvision's `RandomResizedCrop({input_px})` and flip of the tensor; or Pillow to
RGB, and torchvision's `RandomResizedCrop`, flip, `ToTensor` and `Normalize`. The same box of the
same image was found equal to torchvision's before anything was timed. All run on one thread.

What is stored is counted by the clock, all else by the time of one core. Every figure is the best
of {num_passes} passes.
"""
