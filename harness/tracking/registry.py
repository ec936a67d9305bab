"""The MLflow model registry: which models were promoted, and the bundles that lie in it.

`new_version` makes the versions.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from harness.bundle.bundle import BUNDLE_FILE, Bundle
from harness.bundle.classifier import Classifier
from harness.core.errors import HarnessError, did_you_mean
from harness.tracking.contents import quoted
from harness.tracking.store import (
    Store,
    database_of,
    find_store,
    has_store,
    store_uri,
    told_in_one_line,
)

URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")
CHAMPION = "champion"
RUN_ID, WEIGHTS, RUN_NAME = "harness.run_id", "harness.weights_sha256", "harness.run"
"""Tags of a version: its run's id, the hash of its weights, and the run's name."""
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

    @classmethod
    def of(cls, version: ModelVersion, aliases: Mapping[int, tuple[str, ...]]) -> "PromotedModel":
        """As MLflow has it; `aliases` by version."""
        moment = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
        return cls(
            name=version.name,
            version=int(version.version),
            aliases=aliases.get(int(version.version), ()),
            run=version.tags.get(RUN_NAME, ""),
            created=moment.isoformat(timespec="seconds"),
        )


def promoted_models(results: Path, uri: str | None = None) -> list[PromotedModel]:
    """All versions that `harness promote` made, newest first; none where there is no store.

    Raises:
        HarnessError: The store does not answer.
    """
    if not has_store(results, uri):
        return []
    store = find_store(results, uri)
    with told_in_one_line(store_uri(results, uri)):
        versions = [
            version
            for version in _pages(store.client.search_model_versions)
            if RUN_ID in version.tags
        ]
        aliases = {name: _aliases(store, name) for name in {each.name for each in versions}}
    versions.sort(key=lambda version: version.creation_timestamp, reverse=True)
    return [PromotedModel.of(version, aliases[version.name]) for version in versions]


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
                return PromotedModel.of(version, _aliases(store, name))
    return None


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


# Finding versions -----------------------------------------------------------------------------


def _pages(search: Callable[..., Any], **asked: Any) -> Iterator[Any]:
    token = None
    while True:
        found = search(max_results=PAGE, page_token=token, **asked)
        yield from found
        if not (token := found.token):
            return


def _versions(store: Store, name: str) -> list[ModelVersion]:
    wanted = f"name = {quoted(name)}"
    found = list(_pages(store.client.search_model_versions, filter_string=wanted))
    return sorted(found, key=lambda version: -int(version.version))


def _aliases(store: Store, name: str) -> dict[int, tuple[str, ...]]:
    """Aliases by version: a search for versions does not tell them."""
    found: dict[int, tuple[str, ...]] = {}
    for alias, version in sorted(store.client.get_registered_model(name).aliases.items()):
        found[int(version)] = (*found.get(int(version), ()), alias)
    return found


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
