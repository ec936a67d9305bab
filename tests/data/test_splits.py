import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from harness.core.errors import HarnessError
from harness.core.findings import FINDINGS
from harness.data.split_lists import pinned
from harness.data.splits import PARTS, SPLITS, make_split, split_table


def many_patients(make_table, num: int):
    """Every patient with two images; one in five of the test list."""
    fold = {number: "test" if number % 5 == 0 else "train_val" for number in range(num)}
    return make_table(*[(str(number), fold[number], "") for number in range(num) for _ in "ab"])


def test_every_row_is_in_one_part_and_the_rows_rise(make_table):
    table = many_patients(make_table, 200)
    split = split_table(table, "official")
    rows = np.concatenate([split.train, split.val, split.test])
    assert sorted(rows) == list(range(400))
    for row in (split.train, split.val, split.test):
        assert row.dtype == np.int64
        assert (np.diff(row) > 0).all()
    assert list(split.test) == list(np.flatnonzero(table["fold"] == "test"))


def test_no_patient_is_in_two_parts(make_table):
    table = many_patients(make_table, 200)
    split = split_table(table, "official")
    patients = [set(table["patient"].iloc[row]) for row in (split.train, split.val, split.test)]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 200


def sick_patients(make_table, num: int, *, seed: int = 0) -> pd.DataFrame:
    """Up to 6 images a patient; one patient in ten has Hernia, others often Mass or Edema."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(num):
        fold = "test" if number % 5 == 0 else "train_val"
        findings = [name for name, share in (("Edema", 0.2), ("Mass", 0.4)) if rng.random() < share]
        findings += ["Hernia"] if number % 10 == 3 else []
        rows += [(str(number), fold, "|".join(findings))] * rng.integers(1, 7)
    return make_table(*rows)


def val_patients(table: pd.DataFrame) -> set[str]:
    return set(table["patient"].iloc[split_table(table, "official").val])


def test_a_tenth_of_the_patients_of_each_stratum_is_for_validation(make_table):
    """The rarest finding of 1 in 10 patients is Hernia, in images that count 1, 2-3 or 4-6."""
    table = sick_patients(make_table, 2000)
    val = val_patients(table)
    rest = set(table["patient"][table["fold"] == "train_val"])
    assert len(val) == pytest.approx(160, abs=9)
    hernias = table[table["Hernia"]].groupby("patient").size()
    for few, many in ((1, 1), (2, 3), (4, 6)):
        stratum = set(hernias.index[hernias.between(few, many)]) & rest
        assert len(stratum & val) in (len(stratum) // 10, len(stratum) // 10 + 1)


def test_the_choice_of_validation_patients_never_changes(make_table):
    chosen = sorted(map(int, val_patients(many_patients(make_table, 100))))
    assert chosen == [18, 27, 44, 59, 67, 69, 83, 96]


def test_one_patient_more_moves_at_most_one_other(make_table):
    whole = sick_patients(make_table, 300)
    before = val_patients(whole)
    for gone in map(str, range(1, 300, 7)):
        after = val_patients(whole[whole["patient"] != gone])
        assert len((before ^ after) - {gone}) <= 1


def test_the_order_of_the_rows_is_of_no_account(make_table):
    table = sick_patients(make_table, 300)
    assert val_patients(table.sample(frac=1, random_state=1)) == val_patients(table)


def test_the_hash_is_of_the_names_not_of_their_order(make_table):
    table = many_patients(make_table, 100)
    split = split_table(table, "official")
    assert split_table(table[::-1], "official").sha256 == split.sha256
    assert split_table(table[:-2], "official").sha256 != split.sha256


def test_rows_of_neither_list_are_left_out(make_table):
    table = many_patients(make_table, 100)
    table.loc[table["patient"] == "7", "fold"] = ""
    split = split_table(table, "official")
    rows = np.concatenate([split.train, split.val, split.test])
    assert set(range(200)) - set(rows) == {14, 15}


def test_a_shared_patient_is_refused_and_named(make_table):
    table = many_patients(make_table, 100)
    table.loc[199, "patient"] = "0"
    with pytest.raises(HarnessError, match=r"shares 1 patients.*patient 0 in test and train"):
        split_table(table, "official")


def test_an_empty_part_is_refused(make_table):
    table = many_patients(make_table, 100)
    with pytest.raises(HarnessError, match="'official' has no test images"):
        split_table(table[table["fold"] == "train_val"], "official")


def test_a_store_without_lists_is_told_so(make_table):
    table = many_patients(make_table, 10).assign(fold="")
    with pytest.raises(HarnessError, match=r"train_val_list\.txt"):
        split_table(table, "official")


def test_a_split_that_is_not_there(store):
    with pytest.raises(HarnessError, match=r"did you mean 'official'") as caught:
        make_split(store, "oficial")
    assert str(store.path) in str(caught.value)


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_is_a_pure_function_of_the_table(release, name):
    table = release.copy()
    if name == "as_given":
        table["fold"] = np.resize(PARTS, len(table))
        table["patient"] = table["image"]
    before = table.copy()
    assert split_table(table, name).sha256 == split_table(table, name).sha256
    assert table.equals(before)


# The whole release ------------------------------------------------------------------------------


def counts(table: pd.DataFrame, name: str) -> dict[str, tuple[int, int]]:
    """Per part its patients and images."""
    split = split_table(table, name)
    patients = table["patient"]
    return {
        part: (patients.iloc[row].nunique(), len(row))
        for part in PARTS
        for row in [getattr(split, part)]
    }


def test_the_official_lists(release):
    """Images, patients and positives as counted from the public files."""
    assert release["fold"].value_counts().to_dict() == {"train_val": 86524, "test": 25596}
    assert release.groupby("fold")["patient"].nunique().to_dict() == {
        "train_val": 28008,
        "test": 2797,
    }
    positives = release.groupby("fold")[list(FINDINGS)].sum()
    assert positives.loc["train_val", ["Hernia", "Pneumonia", "Mass"]].to_list() == [141, 876, 4034]
    assert positives.loc["test", ["Hernia", "Infiltration"]].to_list() == [86, 6112]


def test_validation_is_like_train(release):
    split = split_table(release, "official")
    number = counts(release, "official")
    assert number["test"] == (2797, 25596)
    assert number["train"][1] + number["val"][1] == 86524
    assert number["train"][0] + number["val"][0] == 28008
    assert number["val"][0] == pytest.approx(2801, abs=5)
    train, val = (release.iloc[row][list(FINDINGS)] for row in (split.train, split.val))
    is_common = (train.sum() + val.sum()) > 500
    assert is_common.sum() == 13
    assert (val.mean() / train.mean())[is_common].to_list() == pytest.approx([1] * 13, abs=0.1)
    assert (val.sum() >= 10).all()


@pytest.mark.parametrize(
    ("name", "expected", "shares"),
    [
        ("dacnet_70_10_20", [(21563, 78614), (3081, 11212), (6161, 22294)], (0.20, 0.125)),
        ("dannynet_2pct", [(28618, 103847), (1570, 5974), (617, 2299)], (0.02, 0.052)),
    ],
)
def test_the_splits_of_dannynet_s_authors(release, name, expected, shares):
    """Counts from the public table, and the very call of the authors' script."""
    assert list(counts(release, name).values()) == expected
    rest, test = train_test_split(
        release["patient"].unique().tolist(), test_size=shares[0], random_state=42
    )
    train, val = train_test_split(rest, test_size=shares[1], random_state=42)
    split = split_table(release, name)
    for part, theirs in zip(PARTS, (train, val, test), strict=True):
        assert set(release["patient"].iloc[getattr(split, part)]) == set(theirs)


def test_the_two_percent_test_set_has_few_positives(release):
    test = release.iloc[split_table(release, "dannynet_2pct").test]
    assert test[list(FINDINGS)].sum().to_list() == [
        226, 118, 100, 52, 339, 61, 37, 9, 395, 117, 141, 94, 29, 93,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["dacnet_70_10_20", "dannynet_2pct"])
def test_a_release_without_one_patient_is_not_split_as_theirs(release, name):
    with pytest.raises(HarnessError, match=r"of the 30,805 patients.*30,804"):
        split_table(release[release["patient"] != "30805"], name)


KNOWN = {
    "official": "b6302f9d9d87",
    "dacnet_70_10_20": "e087153fba48",
    "dannynet_2pct": "62bbf3168b27",
}


def test_hashes_of_the_release(release):
    """So that no change of the code changes a split unseen."""
    digests = {name: split_table(release, name).sha256[:12] for name in KNOWN}
    assert digests == KNOWN


# Lists of the user's own ------------------------------------------------------------------------


@pytest.fixture
def lists(tmp_path):
    """Three lists of the images of `many_patients(..., 6)`, the second as CheXNet's copies are."""
    texts = {
        "train": "image_000.png\nimage_001.png\n\n",
        "val": "image_002.png 0 1 0\nimage_003.png 0 0 0\n",
        "test": "\ufeffimage_010.png\r\nimage_011.png",
    }
    for part, text in texts.items():
        (tmp_path / f"{part}_list.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_lists_are_followed(make_table, lists):
    split = split_table(many_patients(make_table, 6), f"file:{lists}")
    assert [list(getattr(split, part)) for part in PARTS] == [[0, 1], [2, 3], [10, 11]]


def test_a_pin_is_the_hash_of_the_split(make_table, lists, monkeypatch):
    table = many_patients(make_table, 6)
    monkeypatch.chdir(lists.parent)
    name = pinned(f"file:{lists.name}")
    split = split_table(table, name)
    assert name == f"{split.name}#{split.sha256[:12]}" == f"file:{lists}#{split.sha256[:12]}"
    assert pinned(name) == name
    assert pinned("official") == "official"

    (lists / "test_list.txt").write_text("image_010.png\n")
    with pytest.raises(HarnessError, match=f"no longer {split.sha256[:12]}"):
        split_table(table, name)


def test_any_split_can_be_pinned(make_table):
    table = many_patients(make_table, 100)
    digest = split_table(table, "official").sha256
    assert split_table(table, f"official#{digest[:8]}").sha256 == digest
    with pytest.raises(HarnessError, match="no longer 00000000"):
        split_table(table, "official#00000000")


@pytest.mark.parametrize(
    ("part", "text", "said"),
    [
        ("val", "image_002.png\nimage_00.png\n", r"val_list\.txt:2: the store has no image"),
        ("val", "\nimage_001.png\n", r"val_list\.txt:2: .* named in train_list\.txt:2 already"),
        ("val", "image_004.png\nimage_004.png", r"val_list\.txt:2: .* in val_list\.txt:1 already"),
        ("test", "image_005.png", r"shares 1 patients.*patient 2 in test and train"),
        ("test", "", "has no test images"),
    ],
)
def test_lists_that_cannot_be(make_table, lists, part, text, said):
    (lists / "train_list.txt").write_text("image_000.png\nimage_001.png\nimage_004.png\n")
    if part == "val" and "004" in text:
        (lists / "train_list.txt").write_text("image_000.png\n")
    (lists / f"{part}_list.txt").write_text(text)
    with pytest.raises(HarnessError, match=said) as caught:
        split_table(many_patients(make_table, 6), f"file:{lists}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("broken", ["absent", "folder", "binary"])
def test_a_list_that_is_no_text(make_table, lists, broken):
    path = lists / "val_list.txt"
    path.unlink()
    if broken == "folder":
        path.mkdir()
    elif broken == "binary":
        path.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(HarnessError, match=r"val_list\.txt: not a text file.*needs train_list"):
        split_table(many_patients(make_table, 6), f"file:{lists}")
