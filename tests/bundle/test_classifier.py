import io

import numpy as np
import pytest
from PIL import Image

from harness.bundle.classifier import Classifier
from harness.core.machine import Machine
from harness.core.run_dir import RunDirectory
from harness.data.decode import decode_gray
from harness.data.radiograph import Radiograph, read_radiograph
from harness.data.store import ImageStore
from harness.evaluation.temperature import apply_temperature
from harness.training.parts import open_data
from harness.training.runtime import num_threads


@pytest.fixture(scope="module")
def classifier(bundle_dir):
    return Classifier.load(bundle_dir, device="cpu")


@pytest.fixture(scope="module")
def val(trained_results):
    (path,) = (trained_results / "searches" / "dannynet").glob("t0000-*")
    return RunDirectory(path).predictions("val")


@pytest.fixture(scope="module")
def squares(classifier, store):
    rows, split = open_data(classifier.recipe, Machine(store=store))
    return np.stack([rows.images[row] for row in split.val])


def test_scores_are_those_of_the_run_bit_for_bit(classifier, val, squares):
    with num_threads(1):
        score_NL = classifier.score(squares)
    assert score_NL.dtype == np.float32
    assert np.array_equal(score_NL, val.score_NL)


def test_an_answer_is_score_probability_and_flag(classifier, val, squares):
    bundle = classifier.bundle
    answer = classifier.answer(Radiograph(squares[0], "PNG"))
    assert answer.score_L == pytest.approx(val.score_NL[0], abs=1e-6)
    expected = apply_temperature(answer.score_L, bundle.temperature)
    assert np.array_equal(answer.probability_L, expected)
    assert answer.probability_L.dtype == np.float32
    for column, finding in enumerate(bundle.findings):
        threshold = bundle.thresholds[finding]
        is_flagged = threshold is not None and answer.score_L[column] >= threshold
        assert answer.is_flagged_L[column] == is_flagged


def test_a_score_at_its_threshold_is_flagged_and_one_without_never(bundle_dir, squares):
    own = Classifier.load(bundle_dir, device="cpu")
    score_L = own.answer(Radiograph(squares[0], "PNG")).score_L
    own.threshold_L = score_L.astype(np.float64)
    own.threshold_L[0] = np.nan
    own.threshold_L[1] = np.nextafter(score_L[1], np.float32(1))
    flags = own.answer(Radiograph(squares[0], "PNG")).is_flagged_L
    assert not flags[:2].any()
    assert flags[2:].all()


def test_thresholds_on_probabilities_flag_the_same(classifier, squares):
    answers = classifier.answers(squares)
    is_over = [one.probability_L >= classifier.probability_threshold_L for one in answers]
    assert np.array_equal(is_over, [one.is_flagged_L for one in answers])
    is_none = [one is None for one in classifier.bundle.thresholds.values()]
    assert np.array_equal(np.isnan(classifier.probability_threshold_L), is_none)
    assert any(is_none)  # nobody has Cardiomegaly in this validation part


def test_a_square_is_what_prepare_makes(classifier):
    noise = np.random.default_rng(0).integers(0, 256, (90, 70), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "PNG")
    square = classifier.square(read_radiograph(stream.getvalue()))
    stream.seek(0)
    assert np.array_equal(square, decode_gray(stream, 64))


def test_no_images_have_no_scores(classifier):
    assert classifier.score(np.empty((0, 64, 64), np.uint8)).shape == (0, 14)
    assert classifier.answers(np.empty((0, 64, 64), np.uint8)) == []


def test_the_network_is_in_evaluation_mode_and_random_draws_are_left_alone(bundle_dir, store):
    import torch

    before = torch.random.get_rng_state()
    classifier = Classifier.load(bundle_dir, device="cpu")
    assert torch.equal(before, torch.random.get_rng_state())
    assert not any(module.training for module in classifier.network.modules())
    images = ImageStore.open(store).images[:3]
    assert np.array_equal(classifier.score(images), classifier.score(images))
