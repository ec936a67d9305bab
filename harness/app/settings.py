"""What `harness app` tells the page, as the one argument of the script that Streamlit runs."""

from collections.abc import Sequence
from pathlib import Path

from harness.bundle.bundle import Bundle
from harness.core.errors import HarnessError
from harness.core.recipe import Frozen

REGISTRY = "models:/"
"""Before the name of a promoted model; anything else is a folder."""


class ModelChoice(Frozen):
    """A model that can be chosen.

    Attributes:
        source: `models:/NAME/VERSION`, `models:/NAME@ALIAS`, or the path of a bundle's folder.
    """

    label: str
    source: str


class Settings(Frozen):
    """Of the page.

    Attributes:
        results: Folder in which promoted models are found.
        store: An image store, whose validation images can be chosen; empty for none.
    """

    models: tuple[ModelChoice, ...]
    results: Path
    store: str = ""


def choices(sources: Sequence[str], results: Path) -> tuple[ModelChoice, ...]:
    """The models to choose from: those that are named, or all that were promoted, newest first.

    Raises:
        HarnessError: There is none, or a named one is not there.
    """
    found = tuple(_named(source, results) for source in dict.fromkeys(sources))
    found = found or _promoted(results)
    if not found:
        raise HarnessError(
            f"{results}: no model has been promoted; run `harness promote RUN` first, or name a "
            "folder that `harness export` wrote: --model FOLDER"
        )
    labels = [choice.label for choice in found]
    return tuple(c if labels.count(c.label) == 1 else _told_apart(c) for c in found)


def folder_of(source: str, results: Path) -> Path:
    """The folder of a model's bundle, fetched from the registry if it is there.

    Raises:
        HarnessError: There is no such model.
    """
    if not source.startswith(REGISTRY):
        return Path(source)
    from harness.tracking.registry import fetch_bundle

    return fetch_bundle(source, results)


def _named(source: str, results: Path) -> ModelChoice:
    """A model that is there: a mistake is told before a page is served."""
    is_promoted = source.startswith(REGISTRY)
    place = source if is_promoted else str(Path(source).resolve())
    title = Bundle.read(folder_of(place, results)).title
    label = source.removeprefix(REGISTRY) if is_promoted else title
    return ModelChoice(label=label, source=place)


def _promoted(results: Path) -> tuple[ModelChoice, ...]:
    from harness.tracking.registry import promoted_models

    return tuple(
        ModelChoice(
            label=" ".join((f"{model.name} {model.version}", *(f"@{a}" for a in model.aliases))),
            source=f"{REGISTRY}{model.name}/{model.version}",  # which no alias moves
        )
        for model in promoted_models(results)
    )


def _told_apart(choice: ModelChoice) -> ModelChoice:
    """Where two exports of one run are shown."""
    return choice.model_copy(update={"label": f"{choice.label} ({choice.source})"})
