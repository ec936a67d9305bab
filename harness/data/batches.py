"""`Batches`: the images of an index and their labels, batch by batch, on the device.

Images stay uint8 until they are cut (`augment.py`). No worker processes: rows are copied from the
memory map in the order in which they lie on the disk, or, where the GPU has room, once and for all.

Shapes: N images of the index, B of a batch, H x W pixels, L findings.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.core.seeds import derive_seed

GPU_MEMORY_PART = 4
"""Images stay on the GPU where they take at most one part in four of its free memory."""
COPY_IMAGES = 1024
TOGETHER_IMAGES = 256
"""On a GPU so many images are augmented at once, whatever the batches are that they belong to."""


class Images(Protocol):
    """Uint8, images x H x W, in memory or mapped into it."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, row: int, /) -> NDArray[np.uint8]: ...


class LabelledImages(Protocol):
    """What batches need of an image store."""

    @property
    def images(self) -> Images: ...

    @property
    def label_NL(self) -> NDArray[np.bool_]: ...  # noqa: N802

    @property
    def is_known_NL(self) -> NDArray[np.bool_]: ...  # noqa: N802


class Batches:
    """Batches of the images at `index_N`, in order or in a new order each epoch.

    Attributes:
        num_together: Batches that are best changed at once (`training/feed.py`).
    """

    together_images = TOGETHER_IMAGES

    def __init__(
        self,
        store: LabelledImages,
        index_N: NDArray[np.integer[Any]],
        *,
        batch_size: int,
        device: torch.device | str,
        seed: int | None = None,
    ) -> None:
        """Take note of the images, and move them to the GPU where they fit.

        Args:
            index_N: Rows of the store.
            seed: Orders of the epochs are drawn from it; None keeps the order of `index_N`.
        """
        self.batch_size = batch_size
        self.device = torch.device(device)
        self.seed = seed
        is_gpu = self.device.type == "cuda"
        self.num_together = max(1, self.together_images // batch_size) if is_gpu else 1
        self._store = store
        self._index_N = np.asarray(index_N, dtype=np.int64)
        label_NL = np.asarray(store.label_NL[self._index_N], dtype=np.float32)
        label_NL[~store.is_known_NL[self._index_N]] = np.nan
        self._label_NL = torch.from_numpy(label_NL).to(self.device)
        self._resident_N1HW = self._copy_all() if self._do_images_fit() else None

    def __len__(self) -> int:
        """Number of batches in an epoch; the last one may be short."""
        return -(-self.num_images // self.batch_size)

    @property
    def num_images(self) -> int:
        return len(self._index_N)

    def epoch(self, epoch: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Every image once: uint8 (B, 1, H, W) and float32 labels (B, L), on the device.

        A label is 0, 1, or NaN where it is not known.

        The order depends on the seed and the number of the epoch alone.
        """
        order_N = self._order(epoch)
        for start in range(0, self.num_images, self.batch_size):
            row_B = order_N[start : start + self.batch_size]
            on_device_B = torch.from_numpy(row_B).to(self.device)
            yield self._images(row_B, on_device_B), self._label_NL[on_device_B]

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if self.seed is None:
            return np.arange(self.num_images)
        generator = np.random.default_rng(derive_seed(self.seed, "order", epoch))
        return generator.permutation(self.num_images)

    def _images(self, row_B: NDArray[np.int64], on_device_B: Tensor) -> Tensor:
        if self._resident_N1HW is not None:
            return self._resident_N1HW[on_device_B]
        return self._read(row_B).to(self.device, non_blocking=True)

    def _read(self, row_B: NDArray[np.int64]) -> Tensor:
        """The images at rows of the index, on the host: pinned where they go to a GPU."""
        images = self._store.images
        if isinstance(images, np.memmap):
            images = np.asarray(images)  # each row of a memmap would be a memmap: twice the time
        shape = (len(row_B), *images.shape[1:])
        if self.device.type == "cuda":
            image_BHW = torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        else:
            image_BHW = torch.from_numpy(np.empty(shape, dtype=np.uint8))  # in large pages
        target_BHW = image_BHW.numpy()
        place_B = self._index_N[row_B]
        for row in np.argsort(place_B):  # the disk is read in one direction
            target_BHW[row] = images[place_B[row]]
        return image_BHW[:, None]

    def _do_images_fit(self) -> bool:
        if self.device.type != "cuda":
            return False
        num_bytes = self.num_images * int(np.prod(self._store.images.shape[1:]))
        free_bytes, _ = torch.cuda.mem_get_info(self.device)
        return num_bytes * GPU_MEMORY_PART <= free_bytes

    def _copy_all(self) -> Tensor:
        shape = (self.num_images, 1, *self._store.images.shape[1:])
        image_N1HW = torch.empty(shape, dtype=torch.uint8, device=self.device)
        for start in range(0, self.num_images, COPY_IMAGES):
            row_B = np.arange(start, min(start + COPY_IMAGES, self.num_images))
            image_N1HW[start : start + len(row_B)] = self._read(row_B)
        return image_N1HW
