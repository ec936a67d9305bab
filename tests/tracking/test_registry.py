"""The registry: versions, aliases, and the bundles in it."""

import shutil

import pytest
from mlflow import MlflowClient

from harness.bundle.bundle import Bundle
from harness.core.errors import HarnessError
from harness.core.files import read_json, write_json
from harness.tracking.new_version import register
from harness.tracking.registry import (
    fetch_bundle,
    find_promoted,
    has_files,
    open_classifier,
    promoted_models,
    set_alias,
)
from harness.tracking.store import store_uri


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


def test_without_a_store_nothing_is_promoted(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert promoted_models(tmp_path) == []
    assert find_promoted(tmp_path, "x", run_id="0", weights_sha256="0") is None
    with pytest.raises(HarnessError, match="run `harness promote` first"):
        fetch_bundle("models:/dannynet@champion", tmp_path)
    with pytest.raises(HarnessError, match="no promoted model in"):
        open_classifier(None, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_gone_are_told_of(lab, bundle):
    model = register(bundle, group="", results=lab, name="dannynet")
    assert has_files(model, lab)
    shutil.rmtree(lab / "mlartifacts")
    assert not has_files(model, lab)
    with pytest.raises(HarnessError, match="models:/dannynet/1: its files are gone from") as gone:
        fetch_bundle(model.uri, lab)
    assert "\n" not in str(gone.value)
