"""Ray Tune and Optuna: the only importer of both."""

import os

from harness.search.ray_session import QUIET

for name, value in QUIET.items():
    os.environ.setdefault(name, value)  # ray reads some of them when it is imported
