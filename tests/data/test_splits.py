import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.findings import FINDINGS
from harness.data.nih_tables import folds_of, read_label_table
from harness.data.splits import SPLITS, is_official_val, make_split, split_table


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


def test_a_tenth_of_the_patients_is_for_validation():
    share = np.mean([is_official_val(str(number)) for number in range(20000)])
    assert share == pytest.approx(0.1, abs=0.01)


def test_the_choice_of_validation_patients_never_changes():
    chosen = [number for number in range(1, 100) if is_official_val(str(number))]
    assert chosen == [22, 23, 32, 41, 46, 52, 54, 55, 66, 86, 93, 96]


def test_more_rows_move_no_patient(make_table):
    few, many = many_patients(make_table, 100), many_patients(make_table, 300)
    few_val = set(few["patient"].iloc[split_table(few, "official").val])
    many_val = set(many["patient"].iloc[split_table(many, "official").val])
    assert few_val == {patient for patient in many_val if int(patient) < 100}


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
def test_a_split_is_a_pure_function_of_the_table(make_table, name):
    table = many_patients(make_table, 300)
    before = table.copy()
    assert split_table(table, name).sha256 == split_table(table, name).sha256
    assert table.equals(before)


def test_the_official_lists_of_the_whole_release(shared_data):
    """The release's own lists: images, patients and positives, counted from the public files."""
    table, notes = read_label_table(shared_data / "Data_Entry_2017_v2020.csv.gz")
    lists = {
        fold: shared_data / "official_split" / f"{fold}_list.txt" for fold in ("train_val", "test")
    }
    table["fold"] = folds_of(table, lists)
    assert notes == ()
    assert table["fold"].value_counts().to_dict() == {"train_val": 86524, "test": 25596}
    assert table.groupby("fold")["patient"].nunique().to_dict() == {
        "train_val": 28008,
        "test": 2797,
    }
    positives = table.groupby("fold")[list(FINDINGS)].sum()
    assert positives.loc["train_val", ["Hernia", "Pneumonia", "Mass"]].to_list() == [141, 876, 4034]
    assert positives.loc["test", ["Hernia", "Infiltration"]].to_list() == [86, 6112]

    split = split_table(table, "official")
    assert len(split.train) + len(split.val) == 86524
    assert len(split.test) == 25596
    assert table["patient"].iloc[split.val].nunique() == pytest.approx(2801, abs=100)
    assert (table.iloc[split.val][list(FINDINGS)].sum() >= 10).all()
