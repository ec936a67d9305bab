from harness.benchmark.forms.claim import ITEMS, TO_AUTHORS, as_claim
from harness.benchmark.results import Results
from harness.core.recipe import Recipe
from tests.benchmark.forms.conftest import SHAPES, changed, partly_unknown


def answers(text: str) -> dict[int, tuple[str, str]]:
    """Item to whether it is answered, and the answer."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {int(row[0]): (row[3], row[4]) for row in rows[2:]}


def test_the_items_are_numbered_through() -> None:
    assert [item.number for item in ITEMS] == [*range(1, 43)]


def test_what_is_recorded_is_answered_with_its_figures(results: Results) -> None:
    found = answers(as_claim(results))
    assert len(found) == len(ITEMS)
    assert "disjoint at the level of patients" in found[21][1]
    assert found[21][0] == "yes"
    assert "torch 2.15.0" in found[23][1]
    assert "12 trials" in found[25][1]
    assert "validation macro AUROC (0.8300)" in found[26][1]
    assert "2,000 bootstrap resamples" in found[29][1]
    assert "600 images" in found[33][1]
    assert found[34][0] == "in part"


def test_what_became_of_labels_that_are_not_known_is_answered(results: Results) -> None:
    told, all_known = (answers(as_claim(each))[13][1] for each in (partly_unknown(), results))
    assert told.startswith("Labels that are not known (1,234 in training")
    assert told.endswith(all_known)


def test_a_tag_of_weights_is_named_only_where_they_were_used(results: Results) -> None:
    first, *rest = results.rows
    random = Recipe().with_values({"model.weights": "none"})
    told = answers(as_claim(results))[24][1]
    assert f"{first.label}: weights imagenet (densenet121.tv_in1k)." in told
    told = answers(as_claim(changed(results, rows=(changed(first, recipe=random), *rest))))[24][1]
    assert f"{first.label}: random weights (densenet121)." in told


def test_the_rest_is_left_to_the_authors(results: Results) -> None:
    text = as_claim(results)
    found = answers(text)
    for number in (1, 8, 12, 38, 40, 42):
        assert found[number] == ("no", TO_AUTHORS)
    num_answered = sum(state != "no" for state, _ in found.values())
    assert f"{num_answered} of 42 items are answered" in text


def test_fewer_records_answer_fewer_items(results: Results) -> None:
    bare = answers(as_claim(SHAPES["bare"]()))
    assert [bare[number][0] for number in (21, 24, 25, 26, 27, 31)] == ["no"] * 6
    full = answers(as_claim(results))
    assert sum(state != "no" for state, _ in bare.values()) < sum(
        state != "no" for state, _ in full.values()
    )


def test_the_sources_are_cited(results: Results) -> None:
    text = as_claim(results)
    assert "doi:10.1148/ryai.2020200029" in text
    assert "doi:10.1148/ryai.240300" in text
