import shutil

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from harness.core.errors import HarnessError
from harness.core.files import read_json, write_json
from harness.core.findings import FINDINGS
from harness.data.store import ImageStore, StoreOrigin, write_store


def message_of(path) -> str:
    with pytest.raises(HarnessError) as caught:
        ImageStore.open(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_what_is_written_is_read_back(store):
    opened = ImageStore.open(store.path)
    assert len(opened) == 3
    assert opened.images.dtype == np.uint8
    assert opened.images.shape == (3, 16, 16)
    assert np.array_equal(opened.images.ravel(), np.tile(np.arange(256), 3))
    assert list(opened.table["patient"]) == ["a", "b", "b"]
    assert pd.isna(opened.table["age"][0])
    assert opened.table["age"][1] == 40
    assert opened.boxes.to_dict("records") == [
        {"image": "image_001.png", "finding": "Mass", "x": 4.0, "y": 6.0, "w": 8.0, "h": 2.0}
    ]


def test_labels_follow_the_order_of_the_findings(store):
    positive = [store.findings[column] for column in np.flatnonzero(store.label_NL[1])]
    assert positive == ["Edema", "Mass"]
    assert store.label_NL.dtype == np.bool_
    assert store.label_NL.sum() == 2


def test_the_images_are_read_only(store):
    with pytest.raises(ValueError, match="read-only"):
        store.images[0, 0, 0] = 1


def test_only_the_four_files_are_left(store):
    names = sorted(path.name for path in store.path.iterdir())
    assert names == ["boxes.parquet", "images.npy", "manifest.json", "table.parquet"]
    assert [path.name for path in store.path.parent.iterdir()] == [store.path.name]


def test_a_store_without_boxes_has_an_empty_table_of_them(tmp_path, make_table, origin):
    images = np.zeros((1, 4, 4), np.uint8)
    table = make_table(("a", "", ""))
    store = write_store(tmp_path / "s", images=images, table=table, boxes=None, origin=origin)
    assert len(store.boxes) == 0
    assert list(store.boxes.columns) == ["image", "finding", "x", "y", "w", "h"]


def test_labels_without_a_file_take_the_hash_of_the_table(store):
    assert store.manifest.labels_sha256 == store.manifest.table_sha256


def test_the_fingerprint_ignores_path_and_time(store, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(store.path, copy)
    manifest = read_json(copy / "manifest.json")
    write_json(copy / "manifest.json", manifest | {"created_at": "2001-01-01T00:00:00+00:00"})
    assert ImageStore.open(copy).fingerprint == store.fingerprint


@pytest.mark.parametrize("changed", ["pixel", "label", "fold", "box", "patient"])
def test_the_fingerprint_follows_the_content(store, tmp_path, origin, changed):
    images, table, boxes = np.array(store.images), store.table.copy(), store.boxes.copy()
    if changed == "pixel":
        images[2, 3, 4] ^= 1
    elif changed == "box":
        boxes.loc[0, "x"] = 4.5
    else:
        column = {"label": "Hernia", "fold": "fold", "patient": "patient"}[changed]
        table.loc[0, column] = {"label": True, "fold": "test", "patient": "c"}[changed]
    other = write_store(tmp_path / "o", images=images, table=table, boxes=boxes, origin=origin)
    assert other.fingerprint != store.fingerprint


def test_writing_over_something_is_refused(store, origin):
    with pytest.raises(HarnessError, match="already exists"):
        write_store(store.path, images=store.images, table=store.table, boxes=None, origin=origin)


def test_a_writer_that_fails_leaves_nothing(tmp_path, make_table, origin):
    table = make_table(("a", "", "")).drop(columns="Hernia")
    with pytest.raises(HarnessError, match="Hernia"):
        write_store(
            tmp_path / "s", images=np.zeros((1, 4, 4), np.uint8), table=table, boxes=None,
            origin=origin,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_no_folder(tmp_path):
    assert "no such folder" in message_of(tmp_path / "absent")


def test_a_folder_that_is_no_store_is_told_how_to_become_one(tmp_path):
    text = message_of(tmp_path)
    assert "not an image store" in text
    assert "harness data prepare nih" in text


def test_a_manifest_with_an_unknown_key(store):
    manifest = read_json(store.path / "manifest.json")
    write_json(store.path / "manifest.json", manifest | {"colour": "gray"})
    assert "colour" in message_of(store.path)


def test_a_manifest_that_is_cut_off(store):
    (store.path / "manifest.json").write_text('{"source": "n')
    assert "manifest.json" in message_of(store.path)


def test_a_table_without_label_columns(store):
    store.table.drop(columns=["Edema", "Mass"]).to_parquet(store.path / "table.parquet")
    assert "no column Edema, Mass" in message_of(store.path)


def test_a_table_with_a_row_less(store):
    store.table[:2].to_parquet(store.path / "table.parquet")
    assert "2 rows, manifest.json says 3" in message_of(store.path)


def test_a_table_whose_labels_were_edited(store):
    table = store.table.copy()
    table.loc[0, "Hernia"] = True
    table.to_parquet(store.path / "table.parquet")
    assert "table.parquet: changed since" in message_of(store.path)


def test_boxes_that_were_edited(store):
    store.boxes.assign(x=0.0).to_parquet(store.path / "boxes.parquet")
    assert "boxes.parquet: changed since" in message_of(store.path)


def test_an_image_twice_in_the_table(store):
    table = store.table.assign(image="image_000.png")
    table.to_parquet(store.path / "table.parquet")
    assert "twice" in message_of(store.path)


def test_images_of_another_size(store):
    np.save(store.path / "images.npy", np.zeros((3, 8, 8), np.uint8))
    assert "(3, 8, 8)" in message_of(store.path)


def test_images_that_are_cut_off(store):
    whole = (store.path / "images.npy").read_bytes()
    (store.path / "images.npy").write_bytes(whole[:-10])
    assert "damaged image store" in message_of(store.path)


def test_a_pickle_is_not_opened(store):
    np.save(store.path / "images.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "damaged image store" in message_of(store.path)


def test_verify_finds_a_changed_pixel(store):
    store.verify()
    images = np.array(store.images)
    images[1, 2, 3] ^= 1
    np.save(store.path / "images.npy", images)
    with pytest.raises(HarnessError, match="pixels changed"):
        ImageStore.open(store.path).verify()


# Findings of the user's own -----------------------------------------------------------------------


def own_findings(origin, *findings: str):
    return StoreOrigin(**origin.model_dump() | {"findings": findings})


def test_a_store_has_the_findings_that_its_manifest_names(tmp_path, make_table, origin):
    table = make_table(("a", "", ""), ("b", "", "Mass")).drop(columns=list(FINDINGS))
    table = table.assign(Tube=[True, False], Fracture=[True, True], Rib=[False, True])
    images = np.zeros((2, 4, 4), np.uint8)
    names = ("Fracture", "Tube")
    store = write_store(
        tmp_path / "s", images=images, table=table, boxes=None, origin=own_findings(origin, *names)
    )
    assert store.findings == names
    assert store.label_NL.tolist() == [[True, True], [True, False]]
    other = write_store(
        tmp_path / "o", images=images, table=table, boxes=None,
        origin=own_findings(origin, "Tube", "Fracture"),
    )  # fmt: skip
    assert other.fingerprint != store.fingerprint


def test_naming_the_14_findings_changes_no_fingerprint(store):
    manifest = read_json(store.path / "manifest.json")
    assert manifest.pop("findings") == list(FINDINGS)
    write_json(store.path / "manifest.json", manifest)
    assert ImageStore.open(store.path).fingerprint == store.fingerprint


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "one or more"),
        (("Mass", "Mass"), "each once"),
        (("age",), "means something else"),
        (("No Finding",), "means something else"),
        (("macro",), "means something else"),
        (("a/b",), "no more than"),
        (("<b>",), "begin with"),
        (("",), "begin with"),
    ],
)
def test_findings_that_cannot_be(origin, names, said):
    with pytest.raises(ValidationError, match=said):
        own_findings(origin, *names)


def test_labels_must_be_true_or_false(tmp_path, make_table, origin):
    table = make_table(("a", "", "")).assign(Mass=[0.5])
    with pytest.raises(HarnessError, match="column Mass is of float64"):
        write_store(
            tmp_path / "s", images=np.zeros((1, 4, 4), np.uint8), table=table, boxes=None,
            origin=origin,
        )  # fmt: skip
