"""The figures of where runs look, against counts by hand."""

import numpy as np
import pytest

from harness.benchmark.entries import Entry, Scored
from harness.benchmark.localisation import explained, localisation_of
from harness.benchmark.plan import StatisticsPlan
from harness.explain.explanations import Box, Explanations, Sight
from tests.benchmark.conftest import make_predictions

PLAN = StatisticsPlan(resamples=400)
BOX, INSIDE, OUTSIDE = Box(10, 10, 20, 20), (20.0, 20.0), (90.0, 90.0)


def run_of(hits: dict[str, list[bool]], *, box: Box = BOX) -> Explanations:
    """Two sights a patient."""
    sights = tuple(
        Sight(
            image=f"{row}.png", patient=f"{row // 2}", finding=finding, boxes=(box,),
            peak=INSIDE if is_hit else OUTSIDE, region=box if is_hit else None,
        )
        for finding, each in hits.items()
        for row, is_hit in enumerate(each)
    )  # fmt: skip
    return Explanations(
        run_id="", part="test", split_sha256="ab", layer="norm5", grid=(7, 7), level=0.7,
        frame_px=100, sights=sights, code="",
    )  # fmt: skip


def test_rates_are_means_over_seeds_and_macro_over_findings() -> None:
    one = run_of({"Mass": [True] * 10 + [False] * 10, "Edema": [True] * 4 + [False] * 36})
    other = run_of({"Mass": [True] * 20, "Edema": [False] * 40})
    found = localisation_of([one, other], PLAN)
    assert found.num_sights == {"Edema": 40, "Mass": 20}
    assert found.num_patients == 20
    mass, edema = (found.figures[name]["pointing"] for name in ("Mass", "Edema"))
    assert (mass.value, mass.seeds) == (0.75, (0.5, 1.0))
    assert edema.value == pytest.approx(0.05)
    assert edema.low <= 0.05 <= edema.high
    macro = found.figures["macro"]["pointing"]
    assert macro.value == pytest.approx((0.75 + 0.05) / 2)
    assert found.figures["macro"]["chance"].value == pytest.approx(0.04)
    assert found.figures["macro"]["centre"].value == 0
    assert found.figures["Mass"]["iobb_50"].value == 0.75


def test_gains_are_paired() -> None:
    """All patients have the same box, so the gain over chance is as sure as pointing itself."""
    found = localisation_of([run_of({"Mass": [True, False] * 20})], PLAN)
    gain, pointing = found.gains["Mass"]["chance"], found.figures["Mass"]["pointing"]
    assert gain.value == pytest.approx(0.5 - 0.04)
    assert gain.se == pytest.approx(pointing.se)
    assert gain.seeds == pytest.approx((0.46,))


def test_patients_are_resampled_and_not_images() -> None:
    """Both images of a patient are hits, or neither is: half as many independent cases."""
    hits = np.repeat(np.random.default_rng(0).random(60) < 0.5, 2).tolist()
    by_patient = localisation_of([run_of({"Mass": hits})], PLAN)
    by_image = localisation_of([run_of({"Mass": hits})], PLAN.with_options(unit="image"))
    ratio = by_patient.figures["Mass"]["pointing"].se / by_image.figures["Mass"]["pointing"].se
    assert ratio == pytest.approx(np.sqrt(2), rel=0.15)


@pytest.mark.parametrize(("is_hit", "low", "high"), [(False, 0, 0.1684), (True, 0.8316, 1)])
def test_where_all_are_alike_the_interval_is_exact(is_hit, low, high) -> None:
    """Of 20 patients: Clopper & Pearson's bound of 0 of 20."""
    found = localisation_of([run_of({"Mass": [is_hit] * 40})], PLAN)
    pointing = found.figures["Mass"]["pointing"]
    assert (pointing.low, pointing.high) == pytest.approx((low, high), abs=1e-4)
    over_chance, over_centre = (found.gains["Mass"][blind] for blind in ("chance", "centre"))
    assert (over_chance.low, over_chance.high) == pytest.approx((low - 0.04, high - 0.04), abs=1e-4)
    assert (over_centre.low, over_centre.high) == pytest.approx((low - 0.1684, high), abs=1e-4)


def test_a_mean_of_findings_that_are_all_missed_claims_no_interval() -> None:
    found = localisation_of([run_of({"Mass": [False] * 6, "Edema": [False] * 4})], PLAN)
    for estimate in (found.figures["macro"]["pointing"], *found.gains["macro"].values()):
        assert (estimate.low, estimate.high) == (None, None)


def test_none_of_a_few_is_not_surely_below_a_small_chance() -> None:
    """Boxes of 1 % of the image and 20 patients: 0 hits of 20 come by chance 8 times of 10."""
    run = run_of({"Mass": [False] * 40}, box=Box(10, 10, 10, 10))
    sights = tuple(
        sight.model_copy(update={"boxes": (Box(10, 10, 10, 8 + number % 5),)})
        for number, sight in enumerate(run.sights)
    )
    gain = localisation_of([run.model_copy(update={"sights": sights})], PLAN).gains["Mass"]
    assert gain["chance"].low < 0 < gain["chance"].high


def test_a_tolerance_helps_those_who_see_nothing_as_well() -> None:
    run = run_of({"Mass": [True, False]}, box=Box(30, 30, 10, 10))
    strict, kind = (
        localisation_of([run], PLAN.with_options(tolerance_px=px)).figures["Mass"] for px in (0, 15)
    )
    assert (strict["pointing"].value, kind["pointing"].value) == (0, 0.5)
    assert (strict["centre"].value, kind["centre"].value) == (0, 1)
    assert (strict["chance"].value, kind["chance"].value) == pytest.approx((0.01, 0.16))


def test_a_row_needs_maps_of_all_its_runs_and_of_the_same_boxes() -> None:
    run, test = run_of({"Mass": [True]}), make_predictions(0)
    other = run_of({"Mass": [True]}, box=Box(0, 0, 5, 5))

    def entry(*explanations: Explanations | None) -> Entry:
        scored = tuple(Scored(test, explanations=each) for each in explanations)
        return Entry("a", "final", scored)

    assert explained(entry(run, run), PLAN) == (run, run)
    assert explained(entry(run, None), PLAN) == ()
    assert explained(entry(run, other), PLAN) == ()
    assert explained(entry(run), PLAN.with_options(boxes=False)) == ()
    assert localisation_of((), PLAN) is None
