"""The MLflow model registry: which models were promoted, and the bundles that lie in it.

A version is made once for a run and its weights; to promote it again moves the alias.
"""

import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema

from harness.bundle.bundle import BUNDLE_FILE, NOT_A_DEVICE, Bundle
from harness.bundle.classifier import Classifier
from harness.core.errors import HarnessError, did_you_mean
from harness.tracking import contents
from harness.tracking.store import (
    RESULTS_ID,
    Store,
    database_of,
    find_store,
    has_store,
    open_store,
    store_uri,
    told_in_one_line,
)

URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")
BUNDLE_DIR = "bundle"
CHAMPION = "champion"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
RUN_ID, WEIGHTS, RUN_NAME = "harness.run_id", "harness.weights_sha256", "harness.run"
"""Tags of a version: its run's id, the hash of its weights, and the run's name."""
SERVED = ("torch", "timm", "numpy", "pandas", "pillow", "pydicom", "pydantic", "safetensors")
"""What serving needs beside this package, at the versions that are installed."""
PAGE = 200


@dataclass(frozen=True)
class PromotedModel:
    """A version of a registered model.

    Attributes:
        aliases: Such as `champion`.
        run: Name of the run that it comes from.
        created: ISO 8601, UTC.
    """

    name: str
    version: int
    aliases: tuple[str, ...]
    run: str
    created: str

    @property
    def uri(self) -> str:
        """By an alias where it has one: `models:/dannynet@champion`, `models:/dannynet/3`."""
        place = f"@{self.aliases[0]}" if self.aliases else f"/{self.version}"
        return f"models:/{self.name}{place}"


def promoted_models(results: Path, uri: str | None = None) -> list[PromotedModel]:
    """All versions that `harness promote` made, newest first; none where there is no store.

    Raises:
        HarnessError: The store does not answer.
    """
    if not has_store(results, uri):
        return []
    store = find_store(results, uri)
    with told_in_one_line(store_uri(results, uri)):
        found = [
            (version.creation_timestamp, _promoted(version, _aliases(store, version.name)))
            for version in _pages(store.client.search_model_versions)
            if RUN_ID in version.tags
        ]
    return [model for _, model in sorted(found, key=lambda pair: pair[0], reverse=True)]


def find_promoted(
    results: Path, name: str, *, run_id: str, weights_sha256: str, uri: str | None = None
) -> PromotedModel | None:
    """The version of a model that a run's weights were promoted to before; None where none was."""
    if not has_store(results, uri):
        return None
    store = find_store(results, uri)
    with told_in_one_line(store_uri(results, uri)):
        for version in _versions(store, name):
            if (version.tags.get(RUN_ID), version.tags.get(WEIGHTS)) == (run_id, weights_sha256):
                return _promoted(version, _aliases(store, name))
    return None


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
        return _promoted(version, {})


def set_alias(
    model: PromotedModel, alias: str, *, results: Path, uri: str | None = None
) -> PromotedModel:
    """Let an alias name this version, and no other.

    Raises:
        HarnessError: The store does not answer, or refuses.
    """
    store = find_store(results, uri)
    with told_in_one_line(store_uri(results, uri)):
        store.client.set_registered_model_alias(model.name, alias, str(model.version))
    return replace(model, aliases=(alias, *(one for one in model.aliases if one != alias)))


def fetch_bundle(model_uri: str, results: Path, uri: str | None = None) -> Path:
    """The local folder of a promoted model's bundle, fetched once where the store is elsewhere.

    Args:
        model_uri: `models:/dannynet@champion` or `models:/dannynet/3`.

    Raises:
        HarnessError: There is no such model, or the store does not answer.
    """
    parts = URI.fullmatch(model_uri)
    if parts is None:
        raise HarnessError(
            f"{model_uri}: name a model as models:/NAME@ALIAS or models:/NAME/VERSION"
        )
    if not has_store(results, uri):
        raise HarnessError(
            f"{model_uri}: no MLflow store at {database_of(results)}; run `harness promote` first"
        )
    store = find_store(results, uri)
    with told_in_one_line(store_uri(results, uri)):
        version = _version_of(store, model_uri, parts)
        source = store.client.get_model_version_download_uri(version.name, version.version)
        folder = _local(source) or _fetched(version, source, results, store_uri(results, uri))
    found = next(iter(sorted(folder.rglob(BUNDLE_FILE))), None)
    if found is None:
        raise HarnessError(f"{model_uri}: its files are gone from {folder}; promote the run again")
    return found.parent


def has_files(model: PromotedModel, results: Path, uri: str | None = None) -> bool:
    """False where the bundle of a version has gone from where its store kept it."""
    try:
        fetch_bundle(f"models:/{model.name}/{model.version}", results, uri)
    except HarnessError:
        return False
    return True


def open_classifier(model_uri: str | None, results: Path, uri: str | None = None) -> Classifier:
    """The classifier of a promoted model, entitled by its URI; without one, of the newest champion.

    Raises:
        HarnessError: There is no such model, or the store does not answer.
    """
    model_uri = model_uri or _newest_champion(results, uri)
    bundle = Bundle.read(fetch_bundle(model_uri, results, uri))
    return Classifier.of(bundle.entitled(f"{model_uri} ({bundle.name})"))


def _newest_champion(results: Path, uri: str | None) -> str:
    for model in promoted_models(results, uri):
        if CHAMPION in model.aliases:
            return f"models:/{model.name}@{CHAMPION}"
    raise HarnessError(
        f"no promoted model in {results}: run `harness promote RUN` first, or name one with --model"
    )


# Making a version -----------------------------------------------------------------------------


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
    from importlib.metadata import version

    return [f"{name}=={version(name).partition('+')[0]}" for name in names]


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


# Finding versions -----------------------------------------------------------------------------


def _pages(search: Callable[..., Any], **asked: Any) -> Iterator[Any]:
    token = None
    while True:
        found = search(max_results=PAGE, page_token=token, **asked)
        yield from found
        if not (token := found.token):
            return


def _versions(store: Store, name: str) -> list[ModelVersion]:
    quote = '"' if "'" in name else "'"
    wanted = f"name = {quote}{name}{quote}"
    found = list(_pages(store.client.search_model_versions, filter_string=wanted))
    return sorted(found, key=lambda version: -int(version.version))


def _aliases(store: Store, name: str) -> dict[int, tuple[str, ...]]:
    """Aliases by version: a search for versions does not tell them."""
    found: dict[int, tuple[str, ...]] = {}
    for alias, version in sorted(store.client.get_registered_model(name).aliases.items()):
        found[int(version)] = (*found.get(int(version), ()), alias)
    return found


def _promoted(version: ModelVersion, aliases: dict[int, tuple[str, ...]]) -> PromotedModel:
    moment = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    return PromotedModel(
        name=version.name,
        version=int(version.version),
        aliases=aliases.get(int(version.version), ()),
        run=version.tags.get(RUN_NAME, ""),
        created=moment.isoformat(timespec="seconds"),
    )


def _version_of(store: Store, model_uri: str, parts: re.Match[str]) -> ModelVersion:
    name, alias, number = parts["name"], parts["alias"], parts["version"]
    try:
        if alias:
            return store.client.get_model_version_by_alias(name, alias)
        return store.client.get_model_version(name, number)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
    known = [one for model in _pages(store.client.search_registered_models) for one in _uris(model)]
    told = f"there are {', '.join(known)}" if known else "run `harness promote` first"
    raise HarnessError(
        f"{model_uri}: no such promoted model{did_you_mean(model_uri, known)}; {told}"
    )


def _uris(model: Any) -> list[str]:
    return [f"models:/{model.name}@{alias}" for alias in sorted(model.aliases)]


# Files ----------------------------------------------------------------------------------------


def _local(source: str) -> Path | None:
    """The folder of a source, there or gone; None where it lies on a server."""
    parts = urlsplit(source)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else None


def _fetched(version: ModelVersion, source: str, results: Path, uri: str) -> Path:
    folder = results / "models" / version.name / version.version
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
        fetched = mlflow.artifacts.download_artifacts(
            artifact_uri=source, dst_path=scratch, tracking_uri=uri
        )
        Path(fetched).rename(folder)
    return folder
