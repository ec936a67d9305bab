"""`make_phantom`: a synthetic chest X-ray data set as an image store, all of it from one seed."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.findings import FINDINGS
from harness.core.locks import held
from harness.core.machine import num_cpus
from harness.core.progress import Progress, ignore
from harness.data.manifest import OTHER_COLUMNS, StoreOrigin
from harness.data.phantom.anatomy import draw_chest
from harness.data.phantom.body import draw_pose
from harness.data.phantom.cohort import INVENTED_RATE, MISSED_RATE, Exam, plan_exams
from harness.data.phantom.film import develop, expose
from harness.data.phantom.signs import SIGNS, Box, draw_sign
from harness.data.store import BOX_COLUMNS, ImageStore, check_is_free, lock_of, write_store

VERSION = "1"
"""Raised when the same seed begins to give other pixels or labels."""

MIN_SIZE_PX = 32
CHUNK_IMAGES = 32
MIN_PARALLEL_PIXELS = 30_000_000
"""Below this (450 images of 256 px) one process takes less than a minute."""


def make_phantom(
    out: Path,
    *,
    num_images: int = 2000,
    size_px: int = 256,
    seed: int = 0,
    num_workers: int | None = None,
    progress: Progress = ignore,
) -> ImageStore:
    """A store of synthetic frontal chest X-rays at `out`, with a box for every drawn finding.

    Image i depends on `seed`, `size_px` and i only: a larger store begins with the smaller one.
    Boxes tell what was drawn, labels what was recorded; the two differ at the rates of `cohort`.

    Args:
        out: A folder that does not exist yet.
        num_images: Images; patients have one to eight of them.
        size_px: Side of the images.
        seed: Names the whole data set.
        num_workers: Processes that draw, by default one per processor if that is worth their start;
            the result does not depend on it.
        progress: Called after each chunk of images.

    Raises:
        HarnessError: There is something at `out`, another process draws it, or a number is too
            small.
    """
    _check(num_images=num_images, size_px=size_px)
    if num_workers is None:
        num_workers = num_cpus() if num_images * size_px**2 > MIN_PARALLEL_PIXELS else 1
    with held(lock_of(out), of=out):
        check_is_free(out)
        return _draw_store(out, plan_exams(num_images, seed=seed), size_px, num_workers, progress)


def _draw_store(
    out: Path, exams: list[Exam], size_px: int, num_workers: int, progress: Progress
) -> ImageStore:
    num_images, seed = len(exams), exams[0].seed
    images = np.empty((num_images, size_px, size_px), dtype=np.uint8)
    box_rows: list[tuple[str, str, float, float, float, float]] = []
    for row, (pixels, boxes) in enumerate(_draw_all(exams, size_px, num_workers)):
        images[row] = pixels
        box_rows += [(exams[row].image, finding, *box) for finding, box in boxes.items()]
        if (row + 1) % CHUNK_IMAGES == 0 or row + 1 == num_images:
            progress(row + 1, num_images)
    return write_store(
        out,
        images=images,
        table=_table(exams),
        boxes=pd.DataFrame(box_rows, columns=list(BOX_COLUMNS)),
        origin=_origin(size_px, seed),
    )


def draw_exam(exam: Exam, *, size_px: int) -> tuple[NDArray[np.uint8], dict[str, Box]]:
    """The picture of one exam, uint8 (size_px, size_px), and a box per finding drawn in it."""
    pose = draw_pose(exam.rng("pose"), body=exam.body, view=exam.view)
    factor = _oversampling(size_px)
    chest = draw_chest(exam.body, pose, factor * size_px)
    boxes = {}
    for finding in SIGNS:
        if finding in exam.grades:
            rng = exam.patient_rng("sign", finding)
            box = draw_sign(chest, finding, grade=exam.grades[finding], rng=rng)
            boxes[finding] = Box(*(value / factor for value in box))
    gray = expose(chest.attenuation, pose)
    return develop(gray, pose, size_px=size_px, rng=exam.rng("grain")), boxes


def _oversampling(size_px: int) -> int:
    """Thin lines need a few pixels more than a small picture has; a large one has enough."""
    return 2 if size_px <= 256 else 1


def _check(*, num_images: int, size_px: int) -> None:
    if num_images < 1:
        raise HarnessError(f"num_images is {num_images}; a store needs at least 1")
    if size_px < MIN_SIZE_PX:
        raise HarnessError(f"size_px is {size_px}; a chest needs at least {MIN_SIZE_PX}")


def _draw_all(
    exams: list[Exam], size_px: int, num_workers: int
) -> Iterator[tuple[NDArray[np.uint8], dict[str, Box]]]:
    draw = partial(draw_exam, size_px=size_px)
    if num_workers <= 1 or len(exams) <= CHUNK_IMAGES:
        yield from map(draw, exams)
        return
    with ProcessPoolExecutor(num_workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(draw, exams, chunksize=CHUNK_IMAGES)


def _table(exams: list[Exam]) -> pd.DataFrame:
    rows = [
        {
            "image": exam.image,
            "patient": exam.patient,
            "age": exam.body.age,
            "sex": exam.body.sex,
            "view": exam.view,
            "fold": exam.fold,
            **{finding: finding in exam.recorded for finding in FINDINGS},
        }
        for exam in exams
    ]
    return pd.DataFrame(rows, columns=[*OTHER_COLUMNS, *FINDINGS]).astype({"age": "Int64"})


def _origin(size_px: int, seed: int) -> StoreOrigin:
    return StoreOrigin(
        source="phantom",
        is_synthetic=True,
        label_version=f"phantom-{VERSION}",
        attribution="Drawn by harness; no image shows a patient.",
        inputs={"seed": str(seed), "size_px": str(size_px), "version": VERSION},
        box_frame_px=size_px,
        notes=(
            f"{MISSED_RATE:.1%} of the drawn findings are not recorded, and {INVENTED_RATE:.1%} "
            "of the others are recorded though not drawn; boxes show what was drawn",
        ),
    )
