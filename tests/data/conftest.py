"""Small tables and stores, and the folders of real data where they are there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.core.findings import FINDINGS
from harness.data.nih_tables import folds_of, read_label_table
from harness.data.store import ImageStore, StoreOrigin, write_store

SHARED_DATA = Path(__file__).resolve().parents[2] / "../shared/data"


@pytest.fixture
def shared_data():
    if not SHARED_DATA.is_dir():
        pytest.skip("no ../shared/data beside the checkout")
    return SHARED_DATA.resolve()


@pytest.fixture(scope="session")
def release() -> pd.DataFrame:
    """The label table and the lists of the whole NIH release, without its images."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no ../shared/data beside the checkout")
    table, notes = read_label_table(SHARED_DATA / "Data_Entry_2017_v2020.csv.gz")
    assert notes == ()
    lists = {
        fold: SHARED_DATA / "official_split" / f"{fold}_list.txt" for fold in ("train_val", "test")
    }
    return table.assign(fold=folds_of(table, lists))


@pytest.fixture
def make_table():
    """A function: (patient, fold, findings) per image -> a table of a store."""

    def make(*rows: tuple[str, str, str]) -> pd.DataFrame:
        table = pd.DataFrame(
            {
                "image": [f"image_{number:03d}.png" for number in range(len(rows))],
                "patient": [patient for patient, _, _ in rows],
                "age": pd.array([40] * len(rows), dtype="Int16"),
                "sex": "F",
                "view": "PA",
                "fold": [fold for _, fold, _ in rows],
            }
        )
        for finding in FINDINGS:
            table[finding] = [finding in labels.split("|") for _, _, labels in rows]
        return table

    return make


@pytest.fixture
def origin():
    return StoreOrigin(
        source="phantom",
        is_synthetic=True,
        label_version="test",
        attribution="Drawn by a test.",
        box_frame_px=16,
    )


@pytest.fixture
def store(tmp_path, make_table, origin) -> ImageStore:
    """Three images of 16 px of two patients, the second with a Mass in a box."""
    table = make_table(("a", "train_val", ""), ("b", "test", "Mass|Edema"), ("b", "test", ""))
    table.loc[0, "age"] = None
    boxes = pd.DataFrame(
        [("image_001.png", "Mass", 4.0, 6.0, 8.0, 2.0)],
        columns=["image", "finding", "x", "y", "w", "h"],
    )
    images = np.arange(3 * 16 * 16, dtype=np.uint16).astype(np.uint8).reshape(3, 16, 16)
    return write_store(tmp_path / "store", images=images, table=table, boxes=boxes, origin=origin)
