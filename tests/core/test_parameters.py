import pytest
from pydantic import TypeAdapter, ValidationError

from harness.core.parameters import Choice, FloatRange, IntRange, Parameter, SearchSettings
from harness.core.recipe import problems_of


def test_bounds_are_inside_and_kinds_are_kept_apart() -> None:
    real = FloatRange(kind="log_float", low=1e-5, high=1e-3, default=5e-5)
    assert real.is_log
    assert real.contains(1e-5)
    assert real.contains(1e-3)
    assert not real.contains(2e-3)
    assert not real.contains("1e-4")
    whole = IntRange(kind="int", low=1, high=8, default=8)
    assert not whole.is_log
    assert whole.contains(1)
    assert not whole.contains(2.0)
    assert not whole.contains(9)
    assert not whole.contains(True)


def test_a_bound_that_went_through_a_logarithm_is_inside() -> None:
    real = FloatRange(kind="log_float", low=1e-5, high=1e-3, default=5e-5)
    assert real.contains(1e-5 * (1 - 1e-12))
    assert not real.contains(1e-5 * (1 - 1e-6))


def test_choices() -> None:
    choice = Choice(kind="choice", choices=[0.0, 1e-5, "x", True], default="x")
    assert choice.ends == (0.0, 1e-5, "x", True)
    assert choice.contains(0)
    assert not choice.contains(1)
    assert not choice.contains("y")


@pytest.mark.parametrize(
    ("tree", "part"),
    [
        ({"kind": "float", "low": 2, "high": 1, "default": 1}, "low 2 is above high 1"),
        ({"kind": "float", "low": 0, "high": 1, "default": 1.5}, "default 1.5 is outside 0 to 1"),
        ({"kind": "log_float", "low": 0, "high": 1, "default": 1}, "needs a low above 0, not 0"),
        ({"kind": "log_int", "low": -1, "high": 1, "default": 1}, "needs a low above 0, not -1"),
        ({"kind": "int", "low": 0.5, "high": 1, "default": 1}, "integer"),
        ({"kind": "float", "low": 0, "high": float("inf"), "default": 1}, "finite"),
        ({"kind": "choice", "choices": [], "default": 1}, "at least 1"),
        ({"kind": "choice", "choices": [1, 1.0], "default": 1}, "twice"),
        ({"kind": "choice", "choices": ["bce"], "default": "bc"}, "did you mean 'bce'"),
        ({"kind": "choice", "choices": [None], "default": None}, "not None"),
        ({"kind": "choice", "choices": ["a"], "default": "a", "low": 1}, "Extra"),
        ({"kind": "float", "low": 0, "high": 1}, "Field required"),
        (
            {"kind": "float", "low": 0, "high": 1, "default": 0, "when": {"loss.nam": "bce"}},
            "did you mean 'loss.name'",
        ),
        (
            {"kind": "float", "low": 0, "high": 1, "default": 0, "when": {"loss.name": []}},
            "at least 1",
        ),
    ],
)
def test_what_is_refused(tree, part) -> None:
    with pytest.raises(ValidationError, match=part.replace("(", r"\(")):
        TypeAdapter(Parameter).validate_python(tree)


def test_when_takes_one_value_or_several() -> None:
    for written in ("focal", ["focal"], ("focal",)):
        real = FloatRange(kind="float", low=0, high=1, default=0, when={"loss.name": written})
        assert real.when == {"loss.name": ("focal",)}


def test_ranges_for_people() -> None:
    assert (
        FloatRange(kind="log_float", low=1e-5, high=1, default=1).range_text == "1e-05 to 1 (log)"
    )
    assert IntRange(kind="int", low=1, high=1000000, default=1).range_text == "1 to 1000000"
    assert Choice(kind="choice", choices=[0.0, True, "a"], default="a").range_text == "0, True, a"


def test_settings() -> None:
    settings = SearchSettings()
    assert (settings.sampler, settings.scheduler, settings.reduction_factor) == ("gp", "asha", 3)
    assert SearchSettings(grace_epochs=4.0).model_dump(mode="json")["grace_epochs"] == 4
    assert 'grace_epochs":4,' in SearchSettings(grace_epochs=4.0).model_dump_json()
    assert SearchSettings(grace_epochs=0.25).grace_epochs == 0.25
    none = {"reports_per_epoch": 0}
    for wrong in ({"reduction_factor": 1}, {"grace_epochs": 0}, {"sampler": "grid"}, none):
        with pytest.raises(ValidationError) as caught:
            SearchSettings.model_validate(wrong)
        assert [where for where, _ in problems_of(caught.value)] == list(wrong)
