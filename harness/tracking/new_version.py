"""`register`: a bundle becomes a version of a model in MLflow's registry, which can be served.

A version is made once for a run and its weights; to promote it again moves the alias.
"""

import re
import shutil
import tempfile
import warnings
from importlib.metadata import version as version_of
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema

from harness.bundle.bundle import NOT_A_DEVICE, Bundle
from harness.core.errors import HarnessError
from harness.tracking import contents
from harness.tracking.registry import RUN_ID, RUN_NAME, WEIGHTS, PromotedModel
from harness.tracking.store import RESULTS_ID, Store, open_store, store_uri, told_in_one_line

BUNDLE_DIR = "bundle"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
SERVED = ("torch", "timm", "numpy", "pandas", "pillow", "pydicom", "pydantic", "safetensors")
"""What serving needs beside this package, at the versions that are installed."""


def register(
    bundle: Bundle, *, group: str, results: Path, name: str, uri: str | None = None
) -> PromotedModel:
    """Make a version of the model `name` from a bundle, on the page of its run in MLflow.

    Args:
        group: The search or benchmark of the run; without, a page is made for it.

    Raises:
        HarnessError: The store does not answer, or refuses, or no model can have the name.
    """
    if not NAME.fullmatch(name):
        raise HarnessError(
            f"{name!r} cannot name a model: give --name, of letters, digits, '_', '.' and '-'"
        )
    store, facts = open_store(results, uri), bundle.facts
    with told_in_one_line(store_uri(results, uri)), tempfile.TemporaryDirectory() as scratch:
        page = _page_of(store, bundle, group)
        place = f"model-{facts.weights_sha256[:12]}"
        _save_model(bundle, Path(scratch) / place)
        store.client.log_artifacts(page, str(Path(scratch) / place), artifact_path=place)
        _make_model(store, name)
        version = store.client.create_model_version(
            name,
            source=f"{store.client.get_run(page).info.artifact_uri}/{place}",
            run_id=page,
            tags={RUN_ID: facts.run_id, WEIGHTS: facts.weights_sha256, RUN_NAME: facts.name},
            description=f"{facts.name}. {NOT_A_DEVICE}",
        )
        return PromotedModel.of(version, {})


def _save_model(bundle: Bundle, path: Path) -> None:
    """A folder that MLflow loads and serves."""
    columns = [
        ColSpec(kind, f"{what}/{finding}")
        for finding in bundle.findings
        for what, kind in (("score", "double"), ("probability", "double"), ("flag", "boolean"))
    ]
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of examples that are missing: the signature is written
        copy = Path(scratch) / BUNDLE_DIR  # MLflow keeps a folder under its own name
        shutil.copytree(bundle.folder, copy)
        mlflow.pyfunc.save_model(
            path,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"bundle": str(copy)},
            signature=ModelSignature(
                inputs=Schema([ColSpec("string", "image")]), outputs=Schema(columns)
            ),
            pip_requirements=[f"mlflow=={mlflow.__version__}", *_installed(SERVED)],
            metadata={"run": bundle.name, "run_id": bundle.facts.run_id},
        )


def _installed(names: tuple[str, ...]) -> list[str]:
    return [f"{name}=={version_of(name).partition('+')[0]}" for name in names]


def _page_of(store: Store, bundle: Bundle, group: str) -> str:
    """Id of the run's page in MLflow: its own, or one that is made for it."""
    facts, name = bundle.facts, bundle.name.rpartition("/")[2]
    wanted = f"tags.{RUN_ID} = '{facts.run_id}'"
    if group:
        wanted = contents.run_filter(group, name)
    for run in store.search(wanted, order_by="start_time DESC"):
        if store.owns(run):
            return str(run.info.run_id)
    tags = {"harness.kind": "promotion", RUN_NAME: name, RUN_ID: facts.run_id}
    tags |= {"harness.model": bundle.recipe.model.name} | contents.provenance_tags(facts.provenance)
    tags |= {RESULTS_ID: store.results_id} if store.results_id else {}
    made = store.client.create_run(store.experiment_id, tags=tags, run_name=name)
    store.client.set_terminated(made.info.run_id, "FINISHED")
    return str(made.info.run_id)


def _make_model(store: Store, name: str) -> None:
    try:
        store.client.create_registered_model(name, description=NOT_A_DEVICE)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
