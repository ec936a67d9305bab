"""A run to be bundled, of one's own; what was trained is shared (`tests/conftest.py`)."""

from pathlib import Path

import pytest

from harness.core.run_dir import RunDirectory


@pytest.fixture
def run(lab: Path) -> RunDirectory:
    """A completed run that may be changed."""
    (path,) = (lab / "searches" / "dannynet").glob("t0000-*")
    return RunDirectory(path)


@pytest.fixture(scope="session")
def store(trained_results: Path) -> Path:
    return trained_results.parent / "store"
