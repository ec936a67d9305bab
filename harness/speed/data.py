"""How fast images are decoded, beside Pillow on the same files, and read back from a store.

Figures of one process are per second of a core, those of several per second by the clock. The best
of a few passes counts: what else the machine does can only slow one down.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from harness.core.errors import HarnessError
from harness.core.recipe import Frozen
from harness.data.batches import Batches
from harness.data.decode import decode_gray, num_cpus
from harness.data.decoding import CHUNK_IMAGES, Files, Target, decode_source
from harness.data.phantom import make_phantom
from harness.data.rows_file import RowsFile, create_rows
from harness.speed.report import markdown_table, write_report

ORIGINAL_PX, SIZE_PX = 1024, 256
NUM_PASSES = 3
NUM_STORED = 4096
BATCH_SIZE = 64
JOBS_EACH = 2
"""Pieces of `CHUNK_IMAGES` that each process stores in a pass."""
TOOLS = ("pillow", "isal", "numba", "numpy", "torch")


class DataSpeed(Frozen):
    """Images a second, each the best of `NUM_PASSES` passes.

    Attributes:
        source: `drawn`, or the folder of the files.
        num_images: Files that were decoded in each pass, of `kilobytes` on average.
        pillow_per_s: Opened, converted to gray and resized by Pillow.
        harness_per_s: The same by `decode_gray`.
        gray_difference: Mean absolute difference between the two, in gray levels.
        stored_per_s: Decoded and written to a store, by the number of processes.
        batches_per_s: Read in random batches from a store of `SIZE_PX` in the page cache.
    """

    source: str
    num_images: int
    kilobytes: float
    pillow_per_s: float
    harness_per_s: float
    gray_difference: float
    stored_per_s: dict[int, float]
    batches_per_s: float

    @property
    def ratio(self) -> float:
        """Times as fast as Pillow."""
        return self.harness_per_s / self.pillow_per_s


def measure_data(num_images: int, *, root: Path | None, tell: Callable[[str], None]) -> DataSpeed:
    """Measure on `num_images` PNG files from `root`, or drawn ones where it is None.

    Raises:
        HarnessError: `root` has no PNG files.
    """
    with tempfile.TemporaryDirectory(prefix="harness-speed-") as scratch:
        folder = Path(scratch).resolve()
        if root is None:
            tell(f"nothing yet: {num_images} images of {ORIGINAL_PX} px are drawn")
        files = draw_files(folder, num_images) if root is None else find_files(root, num_images)
        tell(f"{len(files)} images, decoded by Pillow and by the harness")
        pillow_per_s, harness_per_s = side_by_side(files)
        stored_per_s = {}
        for num_processes in sorted({1, num_cpus()}):
            tell(f"the same, decoded into a store by {num_processes} processes")
            stored_per_s[num_processes] = stored(files, folder, num_processes)
        tell(f"random batches of {BATCH_SIZE} from a store of {SIZE_PX} px")
        return DataSpeed(
            source="drawn" if root is None else str(root),
            num_images=len(files),
            kilobytes=sum(file.stat().st_size for file in files) / len(files) / 1e3,
            pillow_per_s=pillow_per_s,
            harness_per_s=harness_per_s,
            gray_difference=gray_difference(files),
            stored_per_s=stored_per_s,
            batches_per_s=batches(folder / "images.npy"),
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
        pillow_s.append(_core_seconds(partial(_each, decode_with_pillow, files)))
        harness_s.append(
            _core_seconds(partial(_each, partial(decode_gray, size_px=SIZE_PX), files))
        )
    return len(files) / min(pillow_s), len(files) / min(harness_s)


def gray_difference(files: Sequence[Path]) -> float:
    """Mean absolute difference in gray levels between Pillow's pixels and ours."""
    differences = [
        np.abs(decode_with_pillow(file).astype(int) - decode_gray(file, SIZE_PX)).mean()
        for file in files
    ]
    return float(np.mean(differences))


def stored(files: Sequence[Path], folder: Path, num_processes: int) -> float:
    """Images a second that `num_processes` processes decode and write to the disk for good.

    The files are taken again and again until each process has `JOBS_EACH` pieces.
    """
    rows = list(enumerate(islice(cycle(files), JOBS_EACH * num_processes * CHUNK_IMAGES)))
    jobs = [Files(rows[at : at + CHUNK_IMAGES]) for at in range(0, len(rows), CHUNK_IMAGES)]
    target = Target(folder / "pixels.npy", folder / "marks.npy")
    create_rows(target.images_file, (len(rows), SIZE_PX, SIZE_PX))
    create_rows(target.marks_file, (len(rows),))
    context = get_context("spawn")
    all_are_up = context.Barrier(num_processes)
    with ProcessPoolExecutor(num_processes, context, initializer=all_are_up.wait) as pool:

        def decode_all() -> None:
            never_over = bool  # `bool()` is False, and can be sent to a process
            list(pool.map(partial(decode_source, target=target, is_over=never_over), jobs))

        decode_all()  # starts the processes, and compiles in each
        return len(rows) / min(_seconds(decode_all) for _ in range(NUM_PASSES))


def batches(images_file: Path) -> float:
    """Images a second in random batches from a store in the page cache, on one thread."""
    noise = np.random.default_rng(0).integers(0, 256, (SIZE_PX, SIZE_PX), dtype=np.uint8)
    create_rows(images_file, (NUM_STORED, SIZE_PX, SIZE_PX))
    with RowsFile(images_file) as rows:
        for row in range(NUM_STORED):
            rows.write(row, np.roll(noise, row))
    mapped = np.load(images_file, mmap_mode="r", allow_pickle=False)
    labels = np.zeros((NUM_STORED, 1), dtype=np.bool_)
    order = Batches(
        _Stored(mapped, labels, ~labels),
        np.arange(NUM_STORED),
        batch_size=BATCH_SIZE,
        device="cpu",
        seed=0,
    )
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times_s = [
            _core_seconds(partial(_exhaust, order, epoch)) for epoch in range(NUM_PASSES + 1)
        ]
    finally:
        torch.set_num_threads(num_threads)
    return NUM_STORED / min(times_s)


class _Stored(NamedTuple):
    """What `Batches` needs of a store."""

    images: NDArray[np.uint8]
    label_NL: NDArray[np.bool_]
    is_known_NL: NDArray[np.bool_]


def _seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    work()
    return clock() - began


_core_seconds = partial(_seconds, clock=time.process_time)
"""Seconds that this process had a core for, whatever else the machine does."""


def _each(decode: Callable[[Path], object], files: Sequence[Path]) -> None:
    for file in files:
        decode(file)


def _exhaust(order: Batches, epoch: int) -> None:
    for _ in order.epoch(epoch):
        pass


# The page ---------------------------------------------------------------------------------------

HEADERS = ("what", "images a second", "against one of Pillow")

PAGE = """\
# What the way of an image costs

{table}

{num_images} PNG files of {original_px} x {original_px} pixels and {kilobytes:.0f} kB on average
({source}) become {size_px} x {size_px} gray pixels, which differ from Pillow's by
{gray_difference:g} gray levels on average. Pillow opens, converts and resizes with its antialiased
bilinear filter. To store is to decode and to wait until the pixels are on the disk. Batches are of
{batch_size} random images from {num_stored} of {size_px} px in the page cache. What is stored is
counted by the clock, all else by the time of one core. Every figure is the best of {num_passes}
passes.
"""


def rows_of(speed: DataSpeed) -> list[list[str]]:
    """The cells under `HEADERS`, a row for each way."""
    ways = [
        ("decoded by Pillow, one process", speed.pillow_per_s),
        ("decoded by the harness, one process", speed.harness_per_s),
        *(
            (f"decoded and stored, processes: {num_processes}", per_s)
            for num_processes, per_s in speed.stored_per_s.items()
        ),
    ]
    return [
        *([what, f"{per_s:,.0f}", f"{per_s / speed.pillow_per_s:.2f}"] for what, per_s in ways),
        ["read in random batches, one process", f"{speed.batches_per_s:,.0f}", "-"],
    ]


def write_data_report(speed: DataSpeed, hardware: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write `data.json` and `data.md` into a folder; their paths."""
    text = PAGE.format(
        table=markdown_table(HEADERS, rows_of(speed)),
        original_px=ORIGINAL_PX,
        size_px=SIZE_PX,
        batch_size=BATCH_SIZE,
        num_stored=NUM_STORED,
        num_passes=NUM_PASSES,
        **speed.model_dump(include={"num_images", "kilobytes", "source", "gray_difference"}),
    )
    figures = speed.model_dump(mode="json") | {"ratio": speed.ratio}
    return write_report(folder / "data", figures=figures, text=text, hardware=hardware, tools=TOOLS)
