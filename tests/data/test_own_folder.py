import numpy as np
import pytest
from PIL import Image

from harness.core.errors import HarnessError
from harness.data.own_folder import read as read_folder
from harness.data.readers import prepare
from harness.data.splits import make_split

GOOD = "image,patient,Mass\na.png,1,1\nb.png,2,0\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with two images and no table yet."""
    root = tmp_path / "ours"
    root.mkdir()
    for number, name in enumerate("ab"):
        Image.fromarray(np.full((16, 16), 100 + number, np.uint8)).save(root / f"{name}.png")
    return root


def read(folder, text: str):
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return read_folder(folder)


def test_the_smallest_table(folder):
    source = read(folder, GOOD)
    assert source.origin.findings == ("Mass",)
    assert source.table["Mass"].to_list() == [True, False]
    assert source.table["Mass"].dtype == np.bool_
    assert source.table[["sex", "view", "fold"]].to_numpy().tolist() == [["", "", ""]] * 2
    assert source.table["age"].isna().all()
    assert source.origin.notes == ()
    assert source.origin.has_patients


def test_columns_that_are_known_are_no_findings(folder):
    source = read(
        folder,
        "\ufeffimage, patient,age,sex,view,part,Mass,Tube\r\n"
        "a.png,1,061Y,F,PA,train, 1,0\r\nb.png,2,414,x,LL,,0,\r\n",
    )
    row = source.table.iloc[0]
    assert (row["age"], row["sex"], row["view"], row["fold"]) == (61, "F", "PA", "train")
    assert source.origin.findings == ("Mass", "Tube")
    assert source.table["Tube"].isna().to_list() == [False, True]
    assert source.table[["sex", "view"]].iloc[1].to_list() == ["", ""]
    assert source.origin.notes == ("1 ages that are none made null",)


def test_without_patients_each_image_stands_for_one(folder):
    source = read(folder, "image,Mass\na.png,1\nb.png,0\n")
    assert source.table["patient"].to_list() == ["a.png", "b.png"]
    assert not source.origin.has_patients
    assert source.origin.notes == ("no patients are named: each image stands for one",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"the table has no rows"),
        ("image,patient,Mass\n", r"the table has no rows"),
        ("file,patient,Mass\na.png,1,1\n", r"csv:1: the table has no column 'image'"),
        (GOOD.replace("2,0", "2,yes"), r"csv:3: 'yes' in the column 'Mass'; known: 1, 1\.0, 0"),
        (GOOD.replace("2,0", ",0"), r"csv:3: no patient is named"),
        (GOOD.replace("b.png", "a.png"), r"the image 'a\.png' is named a second time"),
        (GOOD.replace("Mass", "No Finding"), r"csv:1: findings: a finding cannot be called"),
        (GOOD.replace("Mass", "a/b"), r"csv:1: findings: the finding 'a/b'"),
        (GOOD.replace(",Mass", "").replace(",1\n", "\n").replace(",0", ""), r"one or more"),
        ("image,part,Mass\na.png,tran,1\n", r"csv:2: the part 'tran' \(did you mean 'train'\?\)"),
        (GOOD.replace("a.png", "../secret.png"), r"'\.\./secret\.png' leads out of this folder"),
        (GOOD.replace("a.png", "/etc/passwd"), r"'/etc/passwd' leads out of this folder"),
    ],
)
def test_tables_that_cannot_be(folder, text, said):
    with pytest.raises(HarnessError, match=said) as caught:
        read(folder, text)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path):
    (tmp_path / "secret.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "c.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(HarnessError, match=r"'c\.png' leads out"):
        read(folder, GOOD.replace("a.png", "c.png"))


def test_no_table(folder):
    with pytest.raises(HarnessError, match=r"labels\.csv: no such file"):
        read_folder(folder)


def test_no_part_of_a_split_need_have_all_labels(folder, tmp_path):
    Image.fromarray(np.full((16, 16), 9, np.uint8)).save(folder / "c.png")
    table = "image,patient,part,Mass,Tube\na.png,1,val,1,\nb.png,2,train,,1\nc.png,3,test,,0\n"
    (folder / "labels.csv").write_text(table)
    store = prepare("folder", folder, tmp_path / "store", size_px=16, num_workers=1)
    split = make_split(store, "as_given")
    known = {
        part: store.is_known_NL[getattr(split, part)].tolist() for part in ("train", "val", "test")
    }
    assert known == {"train": [[False, True]], "val": [[True, False]], "test": [[False, True]]}
