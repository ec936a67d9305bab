"""The MLflow model registry: which models were promoted, and the bundles that lie in it."""

from dataclasses import dataclass
from pathlib import Path


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
    raise NotImplementedError


def fetch_bundle(model_uri: str, results: Path, uri: str | None = None) -> Path:
    """The local folder of a promoted model's bundle, fetched once where the store is elsewhere.

    Args:
        model_uri: `models:/dannynet@champion` or `models:/dannynet/3`.

    Raises:
        HarnessError: There is no such model, or the store does not answer.
    """
    raise NotImplementedError
