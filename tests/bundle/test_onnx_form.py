import builtins
import shutil

import numpy as np
import pytest

from harness.bundle import onnx_form
from harness.bundle.bundle import Bundle
from harness.bundle.classifier import Classifier
from harness.bundle.onnx_form import ONNX_FILE, check_installed, write_onnx
from harness.core.errors import HarnessError
from harness.data.augment import eval_cut
from harness.data.store import ImageStore


@pytest.fixture
def bundle(bundle_dir, tmp_path):
    pytest.importorskip("onnxscript")
    return Bundle.read(shutil.copytree(bundle_dir, tmp_path / "bundle"))


def test_onnx_answers_as_pytorch_for_any_number_of_images(bundle, store):
    import onnxruntime
    import torch

    assert write_onnx(bundle, store=store) <= 1e-4
    session = onnxruntime.InferenceSession(str(bundle.folder / ONNX_FILE))
    classifier = Classifier.of(bundle, device="cpu")
    squares = np.array(ImageStore.open(store).images[40:45])
    answers = classifier.answers(squares)
    shown = eval_cut(torch.from_numpy(squares)[:, None], bundle.recipe.data).numpy()
    for num in (1, 2, 5):
        score, probability = session.run(["score", "probability"], {"image": shown[:num]})
        assert score == pytest.approx(np.array([a.score_L for a in answers[:num]]), abs=1e-4)
        expected = np.array([a.probability_L for a in answers[:num]])
        assert probability == pytest.approx(expected, abs=1e-4)
    assert {path.name for path in bundle.folder.iterdir()} > {ONNX_FILE}
    assert Bundle.read(bundle.folder).facts == bundle.facts


def test_a_form_that_disagrees_is_not_kept(bundle, store, monkeypatch):
    monkeypatch.setattr(onnx_form, "_largest_difference", lambda *_: 3e-4)
    monkeypatch.setattr(onnx_form, "_write", lambda _, __, path: path.write_bytes(b"onnx"))
    with pytest.raises(HarnessError, match=r"differ from PyTorch's by up to 0.0003"):
        write_onnx(bundle, store=store)
    assert not (bundle.folder / ONNX_FILE).exists()


def test_a_missing_package_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments):
        if name == "onnxruntime":
            raise ModuleNotFoundError("no", name=name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(HarnessError, match=r"the package onnxruntime: `uv sync --extra onnx`"):
        check_installed()
