from pathlib import Path

import pytest

from harness.benchmark.plan import BenchmarkPlan, shipped_plans
from harness.core.errors import HarnessError
from harness.core.space import shipped_spaces


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_every_shipped_plan_loads_by_name_and_is_named_as_its_file() -> None:
    assert {"nih", "phantom"} <= set(shipped_plans())
    for name in shipped_plans():
        assert BenchmarkPlan.load(name).name == name


def test_the_shipped_plans_compare_what_they_should() -> None:
    assert BenchmarkPlan.load("nih").searches == ("dannynet", "chexnet", "vit_small", "vit_base")
    assert BenchmarkPlan.load("nih").seeds == 3
    assert BenchmarkPlan.load("phantom").searches == ("dannynet-mini", "chexnet-mini", "vit-mini")
    assert BenchmarkPlan.load("phantom").seeds == 2


def test_a_plan_has_defaults(tmp_path: Path) -> None:
    plan = BenchmarkPlan.load(write(tmp_path / "p.yaml", "name: p\nsearches: [a, b]\n"))
    assert (plan.seeds, plan.published, plan.recipes, plan.title) == (3, True, (), "")


def test_all_mistakes_of_a_file_are_shown_with_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "p.yaml", "name: p\nserches: [a]\nsearches: [a]\nseeds: 0\n")
    with pytest.raises(HarnessError) as caught:
        BenchmarkPlan.load(path)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{path}:2: unknown key 'serches' (did you mean 'searches'?)")
    assert second.startswith(f"{path}:4: seeds: ")
    assert "0" in second


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: p\n", "nothing to compare"),
        ("name: searches\nsearches: [a]\n", "taken"),
        ("name: ../p\nsearches: [a]\n", "name"),
        ("name: p\nsearches: [a, b, a]\n", "named twice: a"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(HarnessError, match=complaint):
        BenchmarkPlan.load(write(tmp_path / "p.yaml", text))


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(HarnessError, match=r"'fantom' \(did you mean 'phantom'\?\)"):
        BenchmarkPlan.load("fantom")


def test_a_plan_is_made_of_searches() -> None:
    plan = BenchmarkPlan.of_searches(["a", "b"], seeds=5)
    assert (plan.name, plan.searches, plan.seeds) == ("a-vs-b", ("a", "b"), 5)
    with pytest.raises(HarnessError, match="named twice: a"):
        BenchmarkPlan.of_searches(["a", "a"])


def test_every_search_of_a_shipped_plan_has_a_shipped_space_of_its_name() -> None:
    for name in shipped_plans():
        plan = BenchmarkPlan.load(name)
        assert set(plan.searches + plan.recipes) <= set(shipped_spaces())
