"""Runs on the nodes of a Ray cluster, or of this machine: who asks for them does not matter here.

`ray_tune` gives workers to what the `run_book` decides; a `worker` makes one run after another, and
where nodes share no folder its run directory is mirrored into a `storage`. `preflight` looks at
every node before the first run. The only importer of Ray.
"""

import os

from harness.execution.ray_session import QUIET

for name, value in QUIET.items():
    os.environ.setdefault(name, value)  # ray reads some of them when it is imported
