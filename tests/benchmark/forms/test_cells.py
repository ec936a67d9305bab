import pytest

from harness.benchmark.estimates import Estimate
from harness.benchmark.forms.cells import compared, estimate, p_value, words
from harness.benchmark.forms.tables import IS_WIDE, NOT_DIFFERENT, Cell
from tests.benchmark.forms.conftest import of_rows, row_of


def test_an_estimate_is_rounded_and_keeps_its_full_value_for_sorting() -> None:
    cell = estimate(Estimate(value=0.81249, low=0.7, high=0.9, seeds=(0.80, 0.82)))
    assert (cell.text, cell.interval, cell.aside) == ("0.812", "[0.700, 0.900]", "± 0.014")
    assert cell.order == 0.81249


def test_an_estimate_without_interval_and_of_one_seed_is_a_number() -> None:
    assert estimate(Estimate(value=0.5, seeds=(0.5,))) == Cell(text="0.500", order=0.5)
    assert estimate(None).is_gap


@pytest.mark.parametrize(
    ("p", "text"), [(0.0001, "<0.001"), (0.001, "0.001"), (1.0, "1.000"), (None, "–")]
)
def test_a_p_value_is_never_nothing(p: float | None, text: str) -> None:
    assert p_value(p).text == text


def test_the_best_is_bold_and_who_cannot_be_told_from_it_is_marked() -> None:
    best, near, far = (
        row_of("a", 0.9),
        row_of("b", 0.89, p_holm=0.05),
        row_of("c", 0.7, p_holm=0.049),
    )
    results = of_rows(near, best, far)
    cells = [compared(results, row, "auroc") for row in (best, near, far)]
    assert [cell.is_best for cell in cells] == [True, False, False]
    assert [cell.marks for cell in cells] == [(), (NOT_DIFFERENT,), ()]


def test_a_wide_interval_is_marked() -> None:
    wide = row_of("a", 0.8, low=0.65, high=0.86)
    narrow = row_of("b", 0.8, low=0.7, high=0.8)
    assert compared(of_rows(wide), wide, "auroc").marks == (IS_WIDE,)
    assert compared(of_rows(narrow), narrow, "auroc").marks == ()


def test_who_is_alone_is_not_called_the_best() -> None:
    alone = row_of("a", 0.8)
    assert not compared(of_rows(alone, row_of("b", 0.9, metric="f1")), alone, "auroc").is_best


def test_what_was_tuned_on_test_is_neither_best_nor_near_it() -> None:
    first = row_of("a", 0.9, metric="f1_oracle")
    second = row_of("b", 0.8, metric="f1_oracle", p_holm=1.0)
    results = of_rows(first, second)
    assert not any(compared(results, row, "f1_oracle").is_best for row in results.rows)
    assert not any(compared(results, row, "f1_oracle").marks for row in results.rows)


def test_words_of_nothing_that_can_be_shown_are_empty() -> None:
    assert words("\ud800").text == ""
