"""Image files to gray squares: one file at a time, or many of them in processes.

The only place where an image file is read, so that training and the app see the same pixels.
Imports neither pandas nor torch: worker processes start with this file alone.
"""

import os
import signal
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.core.errors import HarnessError

CHUNK_IMAGES = 32
"""Images that a process decodes between two reports: what a kill can cost."""

BROKEN_FILE = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error,
               Image.DecompressionBombError)  # fmt: skip
"""What Pillow raises on a file that it cannot read."""

Job = tuple[int, Path]
"""The row of an image, and its file."""

Result = tuple[int, str]
"""The row of an image, and why it could not be decoded, or an empty string."""


def decode_gray(file: Path | BinaryIO, size_px: int) -> NDArray[np.uint8]:
    """An image file as one gray channel of size_px x size_px, uint8.

    Colours become their luminance (ITU-R 601-2, Pillow's own), an alpha channel is left out, and
    16-bit gray is divided by 257, which maps 65535 to 255. An image that is not square is
    squeezed. The filter is antialiased bilinear, torchvision's `Resize` of a PIL image.

    Raises:
        OSError, ValueError and others of `BROKEN_FILE`: The file is not a readable image.
    """
    with Image.open(file) as image:
        gray = to_gray(image)
    if gray.size != (size_px, size_px):
        gray = gray.resize((size_px, size_px), Image.Resampling.BILINEAR)
    return np.asarray(gray, dtype=np.uint8)


def to_gray(image: Image.Image) -> Image.Image:
    """An image of any mode as 8-bit gray, mode `L`."""
    if image.mode.startswith("I"):
        value_HW = np.asarray(image, dtype=np.float64)
        if value_HW.min() < 0 or value_HW.max() > 65535:
            raise ValueError(f"gray values from {value_HW.min():.0f} to {value_HW.max():.0f}")
        return Image.fromarray(np.rint(value_HW / 257).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("gray values are fractions; save the image with 8 or 16 bits")
    if image.mode in ("L", "1", "LA"):
        return image.convert("L")
    return image.convert("RGB").convert("L")


def decode_all(
    jobs: Sequence[Job], images_file: Path, *, size_px: int, num_workers: int
) -> Iterator[list[Result]]:
    """Decode files into the rows of the array in `images_file`, a chunk of results at a time.

    A result is given out only after its pixels are in the file. Chunks come in any order.

    Raises:
        HarnessError: A worker process died.
    """
    chunks = [jobs[start : start + CHUNK_IMAGES] for start in range(0, len(jobs), CHUNK_IMAGES)]
    if num_workers == 1:
        yield from (_decode_chunk(chunk, images_file, size_px) for chunk in chunks)
        return
    # Forked children would inherit the threads' locks of a parent that has torch loaded.
    context = get_context("spawn")
    pool = ProcessPoolExecutor(num_workers, mp_context=context, initializer=_start_worker)
    try:
        pending = [pool.submit(_decode_chunk, chunk, images_file, size_px) for chunk in chunks]
        for future in as_completed(pending):
            yield future.result()
    except BrokenProcessPool:
        raise HarnessError(
            "a decoding process died, as when memory or disk space ends; what is done is kept: "
            "run it again, with fewer workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def num_cpus() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _decode_chunk(jobs: Sequence[Job], images_file: Path, size_px: int) -> list[Result]:
    image_NHW = np.load(images_file, mmap_mode="r+", allow_pickle=False)
    results = []
    for row, file in jobs:
        try:
            image_NHW[row] = decode_gray(file, size_px)
            results.append((row, ""))
        except BROKEN_FILE as error:
            # The message of some errors holds the path, which says nothing of the image.
            reason = str(error).replace(str(file), file.name).partition("\n")[0]
            results.append((row, f"{type(error).__name__}: {reason}"))
    image_NHW.flush()
    return results


def _start_worker() -> None:
    """Leave an interrupt to the parent, and end when the parent does, even by a kill."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
