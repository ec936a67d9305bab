"""Bundles with random weights, the page run without a browser, uploads that are no radiographs."""

import sys
import warnings
from pathlib import Path

import pytest

from harness.app.serve import SCRIPT
from harness.app.settings import ModelChoice, Settings
from tests.app.made_bundle import make_bundle
from tests.app.malformed import malformed

PATIENCE_S = 60


@pytest.fixture(autouse=True)
def own_main(monkeypatch) -> None:
    """Streamlit puts the page in place of `__main__`, which new processes would then run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session")
def bundles(tmp_path_factory) -> list[Path]:
    """Two models that know the 14 findings, and one that knows two of them and another."""
    root = tmp_path_factory.mktemp("bundles")
    return [
        make_bundle(root / "first"),
        make_bundle(root / "second", seed=1),
        make_bundle(root / "own", seed=2, findings=("Mass", "Effusion", "Own_Finding")),
    ]


@pytest.fixture(scope="session")
def odd_uploads() -> dict[str, bytes]:
    """Contents by name, of `malformed`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom sees what is odd about them
        return dict(malformed())


@pytest.fixture
def settings(bundles, tmp_path) -> Settings:
    names = ("first", "second", "own")
    models = (ModelChoice(label=n, source=str(b)) for n, b in zip(names, bundles, strict=True))
    return Settings(models=tuple(models), results=tmp_path)


@pytest.fixture
def page(settings, monkeypatch):
    """Opens the page in Streamlit's own test bench, with settings that are changed."""
    testing = pytest.importorskip("streamlit.testing.v1")

    def opened(**changes: object):
        told = settings.model_copy(update=changes).model_dump_json()
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), told])
        return testing.AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_S).run()

    return opened
