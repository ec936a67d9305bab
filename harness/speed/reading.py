"""How fast a store gives random batches for training, beside loops that read the original files.

Shapes: N images of a store, B of a batch, H x W pixels, P = `INPUT_PX`.
"""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from harness.core.recipe import AugmentRecipe, DataRecipe
from harness.data.augment import apply_parameters, augment, draw_parameters
from harness.data.batches import Batches
from harness.data.decode import decode_gray
from harness.data.rows_file import RowsFile, create_rows
from harness.speed.instruments import core_seconds
from harness.speed.report import Row

SIZE_PX, INPUT_PX = 256, 224
NUM_STORED = 4096
BATCH_SIZE = 256
NUM_PASSES = 3
NUM_READ = 32
"""Files that a peer reads in a pass."""
RECIPE = AugmentRecipe(jitter=0)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TOLERANCE = 1e-5
CROP_LIMIT = (
    "of about 39 us an image 24 are the antialiased resize on one core, 10 mapping memory for the "
    "batch and giving it back, 4 reading and 1 drawing boxes; eight rows looked up together in "
    "place of four gained 1. A GPU cuts by itself: see its rows"
)


class Stored(NamedTuple):
    """What `Batches` needs of a store."""

    images: NDArray[np.uint8]
    label_NL: NDArray[np.bool_]
    is_known_NL: NDArray[np.bool_]


def reading_rows(files: Sequence[Path], folder: Path, tell: Callable[[str], None]) -> Iterator[Row]:
    """Random batches from a store in `folder`, and the peers' ways from `files`."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        batches = stored_batches(files, folder / "images.npy")
        check(batches)
        tell(f"random batches of {BATCH_SIZE} from a store of {SIZE_PX} px")
        cut, drawn, plain = (
            NUM_STORED / _best(partial(_exhaust, batches, change))
            for change in (_cut, _draw, _leave)
        )
        num_read = min(NUM_READ, len(files))
        peers = []
        for name, goal, make in PEERS:
            tell(f"images as {name} reads them")
            read = make(files, folder)
            per_s = None if read is None else num_read / _best(partial(_each, read, num_read))
            peers.append((name, goal, per_s))
    finally:
        torch.set_num_threads(num_threads)
    for name, goal, per_s in peers:
        yield Row(
            what="read, cut and flipped on one core", unit="images/s", ours=cut, peer=per_s,
            peer_name=name, is_rate=True, goal=goal, limit=CROP_LIMIT,
        )  # fmt: skip
    for name, _, per_s in peers:
        yield Row(
            what="read on one core, for a GPU to cut and flip", unit="images/s", ours=drawn,
            peer=per_s, peer_name=name, is_rate=True,
        )  # fmt: skip
    yield Row(
        what="copied in random batches, one core", unit="images/s", ours=plain, is_rate=True,
        goal=20_000,
    )  # fmt: skip


def stored_batches(files: Sequence[Path], images_file: Path) -> Batches:
    """A store in the page cache that holds the files again and again, each time moved a little."""
    first = [decode_gray(file, SIZE_PX) for file in files[:NUM_READ]]
    create_rows(images_file, (NUM_STORED, SIZE_PX, SIZE_PX))
    with RowsFile(images_file) as rows:
        for row in range(NUM_STORED):
            turn, place = divmod(row, len(first))
            rows.write(row, np.roll(first[place], turn, axis=1))
    mapped = np.load(images_file, mmap_mode="r", allow_pickle=False)
    labels = np.zeros((NUM_STORED, 1), dtype=np.bool_)
    return Batches(
        Stored(mapped, labels, ~labels), np.arange(NUM_STORED), batch_size=BATCH_SIZE,
        device="cpu", seed=0,
    )  # fmt: skip


def check(batches: Batches) -> None:
    """Assert that the first images of a batch are cut and flipped as torchvision does it."""
    from torchvision.transforms.v2 import functional

    image_B1HW = next(batches.epoch())[0][:8]
    drawn = draw_parameters(
        len(image_B1HW), size_px=(SIZE_PX, SIZE_PX), recipe=RECIPE, generator=torch.Generator()
    )
    assert drawn.box_B4 is not None
    assert drawn.flip_B is not None
    ours = apply_parameters(image_B1HW, drawn, data=_data())
    for row, box in enumerate(drawn.box_B4.tolist()):
        image = image_B1HW[row].float() / 255
        theirs = functional.resized_crop(image, *box, size=[INPUT_PX, INPUT_PX], antialias=True)
        theirs = theirs.flip(-1) if drawn.flip_B[row] else theirs
        torch.testing.assert_close(ours[row], theirs, atol=TOLERANCE, rtol=0)


# The harness ------------------------------------------------------------------------------------

Change = Callable[[torch.Tensor, torch.Generator], object]


def _data() -> DataRecipe:
    return DataRecipe(resize_px=SIZE_PX, input_px=INPUT_PX)


def _cut(image_B1HW: torch.Tensor, generator: torch.Generator) -> object:
    return augment(image_B1HW, recipe=RECIPE, data=_data(), generator=generator)


def _draw(image_B1HW: torch.Tensor, generator: torch.Generator) -> object:
    size_px = (SIZE_PX, SIZE_PX)
    return draw_parameters(len(image_B1HW), size_px=size_px, recipe=RECIPE, generator=generator)


def _leave(image_B1HW: torch.Tensor, generator: torch.Generator) -> object:
    return image_B1HW


def _exhaust(batches: Batches, change: Change) -> None:
    generator = torch.Generator().manual_seed(0)
    for image_B1HW, _ in batches.epoch():
        change(image_B1HW, generator)


# The peers --------------------------------------------------------------------------------------

Read = Callable[[int], object]


def by_torchxrayvision(files: Sequence[Path], folder: Path, *, engine: str) -> Read | None:
    """Its data set of the files with its own resize; None where it is not installed."""
    module = {"cv2": "cv2", "skimage": "skimage"}[engine]
    if not all(map(importlib.util.find_spec, ("torchxrayvision", module))):
        return None
    import torchxrayvision
    from torchvision.transforms import Compose

    if engine == "cv2":
        import cv2

        cv2.setNumThreads(1)
    table = folder / "peer.csv"
    pd.DataFrame(
        {
            "Image Index": [str(file.resolve()) for file in files], "Finding Labels": "No Finding",
            "Patient ID": range(len(files)), "Patient Age": 50, "Patient Gender": "F",
            "View Position": "PA",
        }
    ).to_csv(table)  # fmt: skip
    sets = torchxrayvision.datasets
    images = sets.NIH_Dataset(
        str(folder),
        csvpath=str(table),
        transform=Compose([sets.XRayCenterCrop(), sets.XRayResizer(SIZE_PX, engine=engine)]),
        data_aug=Compose([torch.from_numpy, *_random_changes()]),
    )
    return lambda number: images[number]["img"]


def by_torchvision(files: Sequence[Path], folder: Path) -> Read:
    """As tutorials read a folder of images: RGB, and the transforms of ImageNet."""
    from torchvision.transforms import Compose, Normalize, ToTensor

    change = Compose([*_random_changes(), ToTensor(), Normalize(MEAN, STD)])

    def read(number: int) -> object:
        with Image.open(files[number]) as image:
            return change(image.convert("RGB"))

    return read


def _random_changes() -> list[Any]:
    from torchvision.transforms import RandomHorizontalFlip, RandomResizedCrop

    scale = (RECIPE.crop_scale_min, 1.0)
    return [RandomResizedCrop(INPUT_PX, scale=scale, antialias=True), RandomHorizontalFlip()]


PEERS: tuple[tuple[str, float | None, Callable[..., Read | None]], ...] = (
    ("torchxrayvision with OpenCV", 300, partial(by_torchxrayvision, engine="cv2")),
    ("torchxrayvision as it comes", 800, partial(by_torchxrayvision, engine="skimage")),
    ("Pillow and torchvision", None, by_torchvision),
)


def _each(read: Read, num_read: int) -> None:
    for number in range(num_read):
        read(number)


def _best(work: Callable[[], object]) -> float:
    """The least time of a core; the first pass loads and compiles, and does not count."""
    return min([core_seconds(work) for _ in range(NUM_PASSES + 1)][1:])
