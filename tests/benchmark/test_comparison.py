import numpy as np
import pytest

from harness.benchmark.comparison import (
    Comparison,
    Images,
    cases_of,
    foreign_file,
    read_cases,
    write_cases,
    write_foreign,
)
from harness.benchmark.contestants import contestants
from harness.benchmark.plan import BenchmarkPlan
from harness.core.errors import HarnessError
from harness.data.splits import make_split
from tests.benchmark.conftest import CASES, IMAGES, Lab, make_predictions


def test_what_is_written_is_read_back(lab: Lab, plan: BenchmarkPlan, tmp_path) -> None:
    rows = tuple(contestants(plan, lab.results))
    comparison = Comparison(name="duel", title="A duel", images=IMAGES, contestants=rows)
    comparison.write(tmp_path)
    assert Comparison.read(tmp_path) == comparison


def test_cases_keep_unknown_ages(tmp_path) -> None:
    write_cases(CASES, tmp_path)
    back = read_cases(tmp_path)
    for name in ("image_ids", "patient_ids", "sex", "view"):
        assert np.array_equal(getattr(back, name), getattr(CASES, name))
    assert np.array_equal(back.age, CASES.age, equal_nan=True)


def test_the_cases_of_a_store_are_its_test_images_in_order(toy_store) -> None:
    split = make_split(toy_store, "official")
    cases = cases_of(toy_store, split)
    assert list(cases.image_ids) == list(toy_store.table["image"].iloc[split.test])
    images = Images.of_store(toy_store, split)
    assert (images.num_train, images.split_sha256) == (len(split.train), split.sha256)


def test_validation_of_an_earlier_call_does_not_stay(tmp_path) -> None:
    test = make_predictions(1)
    write_foreign(tmp_path, "theirs", {"test": test, "val": make_predictions(2)})
    write_foreign(tmp_path, "theirs", {"test": test})
    assert foreign_file(tmp_path, "theirs", "test").exists()
    assert not foreign_file(tmp_path, "theirs", "val").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "name a folder that `harness benchmark`"),
        ("{", "not JSON"),
        ('{"name": "x", "title": "x", "imagess": 3}', "images"),
    ],
)
def test_a_folder_without_a_comparison_is_told_in_one_line(tmp_path, text, told) -> None:
    if text is not None:
        (tmp_path / "comparison.json").write_text(text)
    with pytest.raises(HarnessError, match=told) as caught:
        Comparison.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_cases_is_told_in_one_line(tmp_path) -> None:
    (tmp_path / "cases.parquet").write_bytes(b"rubbish")
    with pytest.raises(HarnessError, match="run the benchmark again"):
        read_cases(tmp_path)
