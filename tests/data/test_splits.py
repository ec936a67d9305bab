"""Splits: known counts and hashes of the release, and what no split may do."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from harness.core.errors import HarnessError
from harness.core.findings import FINDINGS
from harness.data.splits import PARTS, SPLITS, make_split, part_of_each, split_table, usual_split


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


def test_a_label_that_is_not_known_counts_as_none(make_table):
    known = sick_patients(make_table, 300)
    table = known.astype({"Mass": "boolean", "Hernia": "boolean"})
    for finding in ("Mass", "Hernia"):
        table.loc[~known[finding] & (known.index % 3 == 0), finding] = pd.NA
    assert val_patients(table) == val_patients(known)


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
    assert part_of_each(table, "official", FINDINGS)[14:16].tolist() == ["", ""]


def test_a_shared_patient_is_refused_and_named(make_table):
    table = many_patients(make_table, 100)
    table.loc[199, "patient"] = "0"
    with pytest.raises(HarnessError, match=r"shares 1 patients.*patient 0 in test and train"):
        split_table(table, "official")


def test_each_shared_patient_is_counted_once(make_table):
    rows = [("a", "train"), ("b", "val"), ("b", "test"), ("b", "val"), ("a", "test"), ("c", "")]
    table = make_table(*[(patient, fold, "") for patient, fold in rows], ("c", "train", ""))
    with pytest.raises(HarnessError) as told:
        split_table(table, "as_given")
    assert str(told.value) == (
        "the split 'as_given' shares 2 patients between its parts, "
        "such as patient b in test and val"
    )


def test_an_empty_part_is_refused(make_table):
    table = many_patients(make_table, 100)
    with pytest.raises(HarnessError, match="'official' has no test images"):
        split_table(table[table["fold"] == "train_val"], "official")
    with pytest.raises(HarnessError, match="'official' has no train images"):
        split_table(table[table["fold"] == "test"], "official")


def test_a_store_without_lists_is_told_so(make_table):
    table = many_patients(make_table, 10).assign(fold="")
    with pytest.raises(HarnessError, match=r"train_val_list\.txt"):
        split_table(table, "official")


@pytest.mark.parametrize("fold", ["train", "val"])
def test_parts_of_another_source_are_no_official_split(make_table, fold):
    table = many_patients(make_table, 10)
    table.loc[7, "fold"] = fold
    with pytest.raises(HarnessError, match=r"set data\.split to as_given"):
        split_table(table, "official")


def test_parts_as_given(make_table):
    folds = ["val", "train", "", "test", "train_val", "train"]
    table = make_table(*[(str(row), fold, "") for row, fold in enumerate(folds)])
    split = split_table(table, "as_given")
    assert [list(getattr(split, part)) for part in PARTS] == [[1, 5], [0], [3]]
    assert part_of_each(table, "as_given", FINDINGS).tolist() == [
        "val", "train", "", "test", "", "train",
    ]  # fmt: skip
    with pytest.raises(HarnessError, match="'as_given' has no val images"):
        split_table(table[1:], "as_given")
    with pytest.raises(HarnessError, match="'as_given' has no train images"):
        split_table(table.iloc[[0, 3]], "as_given")
    for row in (2, 3, 4):
        with pytest.raises(HarnessError, match="'as_given' needs a source that gives train, val"):
            split_table(table[row : row + 1], "as_given")


def test_parts_by_lists_of_the_user_s_own(make_table, tmp_path):
    table = many_patients(make_table, 2)
    for part, number in (("train", 2), ("val", 0), ("test", 3)):
        (tmp_path / f"{part}_list.txt").write_text(f"image_{number:03}.png\n")
    parts = part_of_each(table, f"file:{tmp_path}", FINDINGS)
    assert isinstance(parts, np.ndarray)
    assert parts.tolist() == ["val", "", "train", "test"]


@pytest.mark.parametrize(
    ("folds", "name"),
    [
        (("train_val", "test", ""), "official"),
        (("", "", ""), "official"),
        (("test", "test", "train"), "as_given"),
        (("val", "test", ""), "as_given"),
    ],
)
def test_the_usual_split_of_a_store(make_table, store, folds, name):
    table = make_table(*[(str(row), fold, "") for row, fold in enumerate(folds)])
    store.table = table
    assert usual_split(store) == name


def test_a_split_that_is_not_there(store):
    with pytest.raises(HarnessError) as caught:
        make_split(store, "oficial")
    assert str(caught.value) == (
        f"{store.path}: unknown split 'oficial' (did you mean 'official'?); known: official, "
        "as_given, dacnet_70_10_20, dannynet_2pct, file:FOLDER"
    )


def test_a_store_is_split_by_its_table_and_its_findings(make_table, store):
    store.table = sick_patients(make_table, 300)
    whole = make_split(store, "official")
    assert whole.sha256 == split_table(store.table, "official").sha256
    few = ("Hernia", "Edema")
    store.manifest = store.manifest.model_copy(update={"findings": few})
    expected = split_table(store.table, "official", findings=few).sha256
    assert make_split(store, "official").sha256 == expected != whole.sha256


def test_any_split_can_be_pinned(make_table):
    table = many_patients(make_table, 100)
    digest = split_table(table, "official").sha256
    for num_digits in (8, 12, 64):
        split = split_table(table, f"official#{digest[:num_digits]}")
        assert (split.name, split.sha256) == ("official", digest)
    parts = part_of_each(table, "official#00000000", FINDINGS)
    assert parts.tolist() == part_of_each(table, "official", FINDINGS).tolist()
    for pin in ("00000000", digest[1:9]):
        with pytest.raises(HarnessError) as told:
            split_table(table, f"official#{pin}")
        assert str(told.value).startswith(
            f"the split 'official' is {digest[:12]}, no longer {pin}:"
        )


@pytest.mark.parametrize("pin", ["#1234567", "#0123456g", "#", "#" + 65 * "0", "#12345678x"])
def test_what_is_no_pin_is_part_of_the_name(make_table, pin):
    with pytest.raises(HarnessError, match=f"unknown split 'official{pin}'"):
        split_table(many_patients(make_table, 100), f"official{pin}")


# The whole release ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_is_a_pure_function_of_the_table(release, name):
    table = release.copy()
    if name == "as_given":
        table["fold"] = np.resize(PARTS, len(table))
        table["patient"] = table["image"]
    before = table.copy()
    assert split_table(table, name).sha256 == split_table(table, name).sha256
    assert table.equals(before)


KNOWN = {
    "official": "b6302f9d9d87",
    "dacnet_70_10_20": "e087153fba48",
    "dannynet_2pct": "62bbf3168b27",
}


def test_hashes_of_the_release(release):
    """So that no change of the code changes a split unseen."""
    digests = {name: split_table(release, name).sha256[:12] for name in KNOWN}
    assert digests == KNOWN


def test_the_splits_of_the_release_do_not_hang_on_the_order_of_its_rows(release):
    turned = release[::-1]
    assert split_table(turned, "dannynet_2pct").sha256[:12] == KNOWN["dannynet_2pct"]


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
