"""The surrogate of LCBench, where it is."""

import pytest

from harness.core.errors import HarnessError
from harness.speed.lcbench import LcBench, lcbench_folder


@pytest.fixture(scope="session")
def bench():
    try:
        return LcBench(lcbench_folder(None))
    except HarnessError as error:
        pytest.skip(str(error))
