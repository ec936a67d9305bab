"""The registry: versions, aliases, and the bundles in it, loaded without a pickle."""

import base64
import io
import shutil

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from PIL import Image

from harness.bundle.bundle import Bundle
from harness.bundle.classifier import Classifier
from harness.core.errors import HarnessError
from harness.core.files import read_json, write_json
from harness.data.radiograph import read_radiograph
from harness.tracking.registry import (
    fetch_bundle,
    find_promoted,
    has_files,
    open_classifier,
    promoted_models,
    register,
    set_alias,
)
from harness.tracking.store import store_uri


@pytest.fixture
def bundle(bundle_dir):
    return Bundle.read(bundle_dir)


@pytest.fixture
def other(bundle_dir, tmp_path):
    """A bundle of another run."""
    folder = shutil.copytree(bundle_dir, tmp_path / "other")
    recipe = Bundle.read(folder).recipe.with_values({"seed": 99})
    write_json(folder / "recipe.json", recipe.model_dump(mode="json"))
    facts = read_json(folder / "bundle.json")
    write_json(folder / "bundle.json", facts | {"run_id": recipe.run_id, "name": "dannynet/other"})
    return Bundle.read(folder)


def test_versions_and_their_aliases(lab, bundle, other):
    assert promoted_models(lab) == []
    first = register(bundle, group="dannynet", results=lab, name="dannynet")
    set_alias(first, "champion", results=lab)
    second = register(other, group="dannynet", results=lab, name="dannynet")
    assert (first.version, second.version) == (1, 2)
    assert second.uri == "models:/dannynet/2"
    assert [(one.version, one.aliases) for one in promoted_models(lab)] == [
        (2, ()),
        (1, ("champion",)),
    ]
    set_alias(second, "champion", results=lab)
    newest, oldest = promoted_models(lab)
    assert newest.uri == "models:/dannynet@champion"
    assert oldest.uri == "models:/dannynet/1"
    assert newest.run == "dannynet/other"
    for one, expected in ((bundle, 1), (other, 2)):
        facts = one.facts
        found = find_promoted(
            lab, "dannynet", run_id=facts.run_id, weights_sha256=facts.weights_sha256
        )
        assert found.version == expected
    assert find_promoted(lab, "dannynet", run_id="0", weights_sha256="0") is None
    assert fetch_bundle("models:/dannynet/1", lab) != fetch_bundle("models:/dannynet@champion", lab)
    assert Bundle.read(fetch_bundle("models:/dannynet@champion", lab)).facts == other.facts
    for asked in (None, "models:/dannynet@champion"):
        title = open_classifier(asked, lab).bundle.title
        assert title == "models:/dannynet@champion (dannynet/other)"
    _check_errors(lab)
    _check_page(lab)


def _check_errors(lab):
    for uri, told in (
        ("models:/danynet@champion", r"did you mean 'models:/dannynet@champion'"),
        ("models:/dannynet@best", r"there are models:/dannynet@champion"),
        ("models:/dannynet/7", r"no such promoted model"),
        ("models:/dannynet", r"as models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("runs:/1/2", r"as models:/NAME@ALIAS"),
        ("models:/../../etc@x", r"as models:/NAME@ALIAS"),
    ):
        with pytest.raises(HarnessError, match=told):
            fetch_bundle(uri, lab)


def _check_page(lab):
    """A run that MLflow has not heard of gets a page, which has ended."""
    client = MlflowClient(store_uri(lab))
    version = client.get_model_version_by_alias("dannynet", "champion")
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["harness.run"] == "other"


def test_a_model_is_loaded_and_answers_where_pickles_are_forbidden(lab, bundle, monkeypatch):
    set_alias(register(bundle, group="", results=lab, name="dannynet"), "champion", results=lab)
    artifacts = [path for path in (lab / "mlartifacts").rglob("*") if path.is_file()]
    assert artifacts
    assert not [path for path in artifacts if path.suffix in (".pkl", ".pickle", ".pth", ".pt")]
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store_uri(lab))
    try:
        model = mlflow.pyfunc.load_model("models:/dannynet@champion")
    finally:
        mlflow.set_tracking_uri(before)
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


def test_without_a_store_nothing_is_promoted(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert promoted_models(tmp_path) == []
    assert find_promoted(tmp_path, "x", run_id="0", weights_sha256="0") is None
    with pytest.raises(HarnessError, match="run `harness promote` first"):
        fetch_bundle("models:/dannynet@champion", tmp_path)
    with pytest.raises(HarnessError, match="no promoted model in"):
        open_classifier(None, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_no_uri_could_hold_is_refused(lab, bundle):
    for name in ("a/b", "a@b", "a:b", "", "x" * 101):
        with pytest.raises(HarnessError, match="cannot name a model: give --name"):
            register(bundle, group="", results=lab, name=name)
    assert promoted_models(lab) == []


def test_files_that_are_gone_are_told_of(lab, bundle):
    model = register(bundle, group="", results=lab, name="dannynet")
    assert has_files(model, lab)
    shutil.rmtree(lab / "mlartifacts")
    assert not has_files(model, lab)
    with pytest.raises(HarnessError, match="models:/dannynet/1: its files are gone from") as gone:
        fetch_bundle(model.uri, lab)
    assert "\n" not in str(gone.value)
