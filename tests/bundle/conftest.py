"""A run to be bundled, of one's own; what was trained is shared (`tests/conftest.py`)."""

import shutil
from pathlib import Path

import pytest

from harness.core.run_dir import RunDirectory


@pytest.fixture
def run(trained_results: Path, tmp_path: Path) -> RunDirectory:
    """A completed run that may be changed."""
    (path,) = (trained_results / "searches" / "dannynet").glob("t0000-*")
    return RunDirectory(shutil.copytree(path, tmp_path / path.name))


@pytest.fixture(scope="session")
def store(trained_results: Path) -> Path:
    return trained_results.parent / "store"
