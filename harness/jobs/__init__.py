"""The jobs whole, as the command line and the quickstart call them.

Each checks all that can be checked before the first run, then continues what its folder holds:
progress on the terminal, MLflow beside it, the run directories as the truth.
"""

from harness.jobs.benchmark import Entered, benchmark
from harness.jobs.evaluate import Evaluated, evaluate, report
from harness.jobs.place import Place
from harness.jobs.search import SearchOrder, estimate, search
from harness.search.budget import Budget

__all__ = [
    "Budget", "Entered", "Evaluated", "Place", "SearchOrder", "benchmark", "estimate", "evaluate",
    "report", "search",
]  # fmt: skip
