import subprocess
import sys

import pytest

from harness.core.errors import HarnessError
from harness.data.readers import prepare


def test_an_unknown_reader_is_met_with_the_nearest(tmp_path):
    with pytest.raises(HarnessError, match=r"'chexprt' \(did you mean 'chexpert'\?\); known: fold"):
        prepare("chexprt", tmp_path, tmp_path / "store")


def test_the_list_of_readers_is_light():
    """The command line reads it whenever it starts."""
    code = "import sys, harness.data.readers; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
