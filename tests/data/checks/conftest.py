"""A small store of films that differ, which a test may spoil before it is written."""

import numpy as np
import pandas as pd
import pytest

from harness.core.findings import FINDINGS
from harness.data.store import ImageStore, StoreOrigin, write_store

NUM_PATIENTS = 60
SIZE_PX = 64


def films(num: int, *, seed: int = 0) -> np.ndarray:
    """A bright chest with dark lungs and blotches of its own, on black."""
    rng = np.random.default_rng(seed)
    blotch = rng.normal(0, 1, (num, 16, 16)).repeat(4, axis=1).repeat(4, axis=2)
    image = np.full((num, SIZE_PX, SIZE_PX), 200.0)
    image[:, 12:52, 8:28] = image[:, 12:52, 36:56] = 70
    return np.clip(image + 15 * blotch, 20, 255).astype(np.uint8)


@pytest.fixture
def make_store(tmp_path):
    """A function: changes of the table and the images, and of the origin -> a store."""

    def make(spoil=lambda table, images: None, **told) -> ImageStore:
        images = films(2 * NUM_PATIENTS)
        number = np.repeat(np.arange(NUM_PATIENTS), 2)
        table = pd.DataFrame({
            "image": [f"film_{row:03d}.png" for row in range(len(number))],
            "patient": [f"p{patient}" for patient in number],
            "age": pd.array([50] * len(number), dtype="Int16"),
            "sex": "F",
            "view": "PA",
            "fold": np.where(number % 4 == 0, "test", "train_val"),
        })  # fmt: skip
        for column, finding in enumerate(FINDINGS):
            table[finding] = (number + column) % 5 == 0
        spoil(table, images)
        origin = StoreOrigin(
            **{"source": "toy", "is_synthetic": True, "label_version": "toy", "attribution": "Me.",
               "box_frame_px": SIZE_PX} | told
        )  # fmt: skip
        return write_store(tmp_path / "toy", images=images, table=table, boxes=None, origin=origin)

    return make
