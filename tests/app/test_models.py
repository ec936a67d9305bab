import threading

import numpy as np
import pytest

from harness.app import models
from harness.app.models import Model
from harness.app.uploads import read_upload
from harness.bundle.classifier import Classifier
from harness.core.errors import HarnessError
from harness.explain.cam import grad_cam
from tests.app.malformed import good


@pytest.fixture(scope="module")
def image():
    return read_upload(good()["png"]).radiograph


@pytest.fixture
def model(bundles) -> Model:
    return Model(bundles[0])


def test_answers_and_maps_are_those_of_the_bundle(model, bundles, image):
    classifier = Classifier.load(bundles[0])
    expected = classifier.answer(image)
    rows = {row.finding: row for row in model.rows(image)}
    found = [rows[name].probability for name in model.findings]
    assert found == expected.probability_L.tolist()
    assert [rows[name].is_flagged for name in model.findings] == expected.is_flagged_L.tolist()
    heat = grad_cam(classifier.network, classifier.square(image), 7, classifier.recipe)
    assert model.findings[7] == "Hernia"
    assert (model.heat(image, "Hernia") == heat).all()
    assert not (model.heat(image, "Mass") == heat).all()


def test_two_sessions_at_once_get_their_own_answers(model, image):
    expected = {finding: model.heat(image, finding) for finding in ("Mass", "Hernia")}
    found = []

    def ask(finding):
        for _ in range(5):
            found.append((finding, model.heat(image, finding)))

    threads = [threading.Thread(target=ask, args=(finding,)) for finding in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 10
    assert all((heat == expected[finding]).all() for finding, heat in found)


def test_models_are_asked_by_one_thread_however_many_sessions_there_are(model, image, monkeypatch):
    asking = set()

    def note_thread(network, square_HW, finding, recipe):
        asking.add(threading.current_thread().name)
        return np.zeros(square_HW.shape, dtype=np.float32)

    monkeypatch.setattr(models, "grad_cam", note_thread)
    threads = [threading.Thread(target=model.heat, args=(image, "Mass")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asking) == 1


def test_a_folder_without_a_bundle_is_told(tmp_path):
    with pytest.raises(HarnessError, match=r"bundle\.json"):
        Model(tmp_path)
