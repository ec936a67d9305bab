"""A version: its name, and what it answers once it is loaded without a pickle."""

import base64
import io

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from PIL import Image

from harness.bundle.classifier import Classifier
from harness.core.errors import HarnessError
from harness.data.radiograph import read_radiograph
from harness.tracking.new_version import register
from harness.tracking.registry import promoted_models, set_alias
from harness.tracking.store import store_uri


def test_a_name_that_no_uri_could_hold_is_refused(lab, bundle):
    for name in ("a/b", "a@b", "a:b", "", "x" * 101):
        with pytest.raises(HarnessError, match="cannot name a model: give --name"):
            register(bundle, group="", results=lab, name=name)
    assert promoted_models(lab) == []


def test_a_model_is_loaded_and_answers_where_pickles_are_forbidden(lab, bundle, monkeypatch):
    set_alias(register(bundle, group="", results=lab, name="dannynet"), "champion", results=lab)
    artifacts = [path for path in (lab / "mlartifacts").rglob("*") if path.is_file()]
    assert artifacts
    assert not [path for path in artifacts if path.suffix in (".pkl", ".pickle", ".pth", ".pt")]
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_uri(lab))
    model = mlflow.pyfunc.load_model("models:/dannynet@champion")
    files = [_file(seed) for seed in range(3)]
    answers = [Classifier.of(bundle).answer(read_radiograph(file)) for file in files]
    asked = pd.DataFrame({"image": [base64.b64encode(file).decode() for file in files]})
    found = model.predict(asked)
    assert len(found.columns) == 3 * 14
    for column, finding in enumerate(bundle.findings):
        score_N = np.array([one.score_L[column] for one in answers])
        assert found[f"score/{finding}"].to_numpy() == pytest.approx(score_N, abs=1e-6)
        probability_N = np.array([one.probability_L[column] for one in answers])
        assert found[f"probability/{finding}"].to_numpy() == pytest.approx(probability_N, abs=1e-6)
        flags = [bool(one.is_flagged_L[column]) for one in answers]
        assert found[f"flag/{finding}"].tolist() == flags
    for text, told in (("?", "image 0: not base64"), ("aGVsbG8=", "image 0: not an image")):
        with pytest.raises(MlflowException, match=told):
            model.predict(pd.DataFrame({"image": [text]}))


def _file(seed: int) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (80, 80), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "PNG")
    return stream.getvalue()
