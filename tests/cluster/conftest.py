"""A laboratory of processes for the tests that start clusters."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="hw-", dir="/tmp"))  # short: Ray's sockets lie below it
    folder.chmod(0o755)
    lab = Lab(folder)
    try:
        yield lab
    finally:
        lab.end_all()
        shutil.rmtree(folder, ignore_errors=True)
