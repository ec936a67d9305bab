import shutil

import pytest

from harness.benchmark.find_run import find_run
from harness.core.errors import HarnessError
from harness.core.files import read_json, write_json
from harness.jobs.promote import BundleOrder, export, promote
from harness.tracking.registry import promoted_models


def trial_of(lab):
    return next((lab / "searches" / "dannynet").glob("t0000-*"))


def test_a_run_is_promoted_once_and_then_its_alias_moves(lab):
    order = BundleOrder(results=lab)
    first = promote(find_run("dannynet/t0000", lab), name="", alias="champion", order=order)
    assert first.is_new
    assert first.agreement == "bit-equal to the run's scores of 34 validation images"
    assert first.model.uri == "models:/dannynet@champion"
    assert first.model.run == f"dannynet/{trial_of(lab).name}"
    again = promote(find_run("t0000", lab), name="", alias="champion", order=order)
    moved = promote(find_run("t0000", lab), name="", alias="second", order=order)
    assert not again.is_new
    assert not moved.is_new
    (model,) = promoted_models(lab)
    assert (model.name, model.version, model.aliases) == ("dannynet", 1, ("champion", "second"))


def test_a_promoted_run_needs_neither_store_nor_predictions_again(lab, trained_results, tmp_path):
    order = BundleOrder(results=lab)
    promote(find_run("t0000", lab), name="", alias="champion", order=order)
    (trial_of(lab) / "predictions_val.npz").unlink()
    plan = lab / "searches" / "dannynet" / "search.json"
    write_json(plan, read_json(plan) | {"store": str(tmp_path / "gone")})
    assert not promote(find_run("t0000", lab), name="", alias="other", order=order).is_new
    with pytest.raises(HarnessError, match="say where it lies: --data STORE"):
        promote(find_run("t0000", lab), name="another", alias="champion", order=order)
    (trial_of(lab) / "best.safetensors").unlink()
    with pytest.raises(HarnessError, match="its weights are gone"):
        promote(find_run("t0000", lab), name="", alias="champion", order=order)


def test_a_version_whose_files_are_gone_is_made_anew(lab):
    order = BundleOrder(results=lab)
    promote(find_run("t0000", lab), name="", alias="champion", order=order)
    shutil.rmtree(lab / "mlartifacts")
    again = promote(find_run("t0000", lab), name="", alias="champion", order=order)
    assert again.is_new
    assert [(one.version, one.aliases) for one in promoted_models(lab)] == [
        (2, ("champion",)),
        (1, ()),
    ]
    assert not promote(find_run("t0000", lab), name="", alias="champion", order=order).is_new


def test_nothing_is_registered_of_a_run_that_scores_otherwise(lab, monkeypatch):
    monkeypatch.setattr("harness.bundle.write._largest_difference", lambda *_: 0.25)
    with pytest.raises(HarnessError, match=r"by up to 0.25 .* --tolerance 3e-01 allows it"):
        promote(find_run("t0000", lab), name="", alias="champion", order=BundleOrder(results=lab))
    assert promoted_models(lab) == []
    done = promote(
        find_run("t0000", lab),
        name="",
        alias="champion",
        order=BundleOrder(results=lab, tolerance=0.3),
    )
    assert "within 0.25 of the run's scores" in done.agreement


def test_export_leaves_nothing_where_onnx_disagrees(lab, tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")

    def disagree(bundle, *, store):
        raise HarnessError("differs")

    monkeypatch.setattr("harness.bundle.onnx_form.write_onnx", disagree)
    out = tmp_path / "out" / "bundle"
    with pytest.raises(HarnessError, match="differs"):
        export(find_run("t0000", lab), out, with_onnx=True, order=BundleOrder(results=lab))
    assert list(out.parent.iterdir()) == []
    bundle, told = export(
        find_run("t0000", lab), out, with_onnx=False, order=BundleOrder(results=lab)
    )
    assert bundle.folder == out
    assert told.startswith("bit-equal")
    with pytest.raises(HarnessError, match="already exists"):
        export(find_run("t0000", lab), out, with_onnx=True, order=BundleOrder(results=lab))
