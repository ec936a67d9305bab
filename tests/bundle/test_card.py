import pytest

from harness.bundle.bundle import NOT_A_DEVICE, Agreement, Bundle
from harness.bundle.card import card_of
from harness.models.seen import Seen


@pytest.fixture(scope="module")
def bundle(bundle_dir):
    return Bundle.read(bundle_dir)


def card(bundle, **changes):
    return card_of(bundle.facts.model_copy(update=changes), bundle.recipe)


def test_the_card_of_a_bundle_is_the_one_that_lies_in_it(bundle):
    assert card(bundle) == bundle.card


def test_it_says_what_it_is_not(bundle):
    assert bundle.card.startswith(f"# {bundle.name}\n\n> {NOT_A_DEVICE}")
    assert "drawn images" in bundle.card
    assert "drawn images" not in card(bundle, is_synthetic=False)


def test_every_finding_has_its_figures_and_its_threshold(bundle):
    for finding in bundle.findings:
        assert bundle.card.count(f"\n| {finding} | ") == 2
    mean = bundle.facts.validation.macro["auroc"]
    assert f"| **mean** |  | {mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}] |" in bundle.card
    assert "| Cardiomegaly | none |" in bundle.card
    assert "Never flagged, for want of a threshold: Cardiomegaly." in bundle.card


def test_groups_are_told_or_said_to_be_unknown(bundle):
    assert "\n| sex | F | " in bundle.card
    assert "\n| view | AP | " in bundle.card
    assert "Sex, age and view are not known" in card(bundle, subgroups=())


def test_what_the_weights_have_seen_is_told(bundle):
    assert "**What the weights have seen:** phantom, the training part of `official`" in bundle.card
    unknown = card(bundle, seen=(Seen(source="unknown"),))
    assert "unknown, of which images is not known" in unknown
    assert "seen:** no X-rays" in card(bundle, seen=())


def test_disagreement_is_told(bundle):
    assert "bit-equal to those of the run" in bundle.card
    other = Agreement(
        num_images=34, trained_on="GPU", checked_on="CPU", largest_difference=2e-4, tolerance=1e-3
    )
    told = card(bundle, agreement=other)
    assert "not those of the run, by up to 0.0002 (allowed: 0.001)" in told
    assert "bit-equal" not in told


def test_test_figures_are_there_once_test_was_scored(bundle):
    assert "## Test" not in bundle.card
    assert "## Test" in card(bundle, test=bundle.facts.validation)


def test_intervals_over_images_are_called_so(bundle):
    assert "intervals over patients" in bundle.card
    alone = card(bundle, has_patients=False)
    assert "intervals over images" in alone
    assert "Which images show one patient is not known." in alone
