from types import SimpleNamespace

import pytest

from harness.app.settings import choices, folder_of
from harness.core.errors import HarnessError
from harness.tracking import registry
from tests.app.made_bundle import make_bundle


def test_folders_are_named_by_their_runs_and_told_apart(bundles, tmp_path):
    same = make_bundle(tmp_path / "same")
    shown = choices([str(bundles[0]), str(bundles[1]), str(same), str(bundles[1])], tmp_path)
    assert [choice.label for choice in shown] == [
        f"made/0 ({bundles[0]})", "made/1", f"made/0 ({same})"
    ]  # fmt: skip
    assert folder_of(shown[1].source, tmp_path) == bundles[1]


def test_a_folder_that_is_no_bundle_is_told(tmp_path):
    with pytest.raises(HarnessError, match=r"no bundle\.json in it"):
        choices([str(tmp_path)], tmp_path)


def test_without_names_all_promoted_models_are_shown_by_version(monkeypatch, tmp_path, bundles):
    found = [
        SimpleNamespace(name="dannynet", version=3, aliases=("champion",)),
        SimpleNamespace(name="dannynet", version=2, aliases=()),
    ]
    monkeypatch.setattr(registry, "promoted_models", lambda results: found)
    monkeypatch.setattr(registry, "fetch_bundle", lambda uri, results: bundles[0])
    shown = choices([], tmp_path)
    assert [choice.label for choice in shown] == ["dannynet 3 @champion", "dannynet 2"]
    assert [choice.source for choice in shown] == ["models:/dannynet/3", "models:/dannynet/2"]
    assert folder_of(shown[0].source, tmp_path) == bundles[0]
    (named,) = choices(["models:/dannynet@champion"], tmp_path)
    assert named.label == "dannynet@champion"


def test_where_nothing_was_promoted_the_next_command_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "promoted_models", lambda results: [])
    with pytest.raises(HarnessError, match="harness promote RUN"):
        choices([], tmp_path)
