"""The tour: a phantom, three searches on it, their runs in MLflow, one comparison table.

Networks are narrower ones of the families, named so in the table; see `search_spaces/phantom/`.
"""

from pathlib import Path

from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.results import Results
from harness.console import progress_bar
from harness.core.space import SearchSpace
from harness.data.phantom import make_phantom
from harness.execution.ray_session import Resources
from harness.jobs.benchmark import Entered, benchmark
from harness.jobs.place import Place
from harness.jobs.search import SearchOrder, search

SIZE_PX = 64


def run_quickstart(results: Path, *, num_images: int, num_trials: int, num_seeds: int) -> Results:
    """Chain the commands on the phantom; what an earlier call has done is not done again."""
    plan = BenchmarkPlan.load("phantom").model_copy(update={"seeds": num_seeds})
    place = Place(results=results, resources=Resources(cpus=1, gpus=0))
    store = results / "stores" / f"phantom-{SIZE_PX}px-{num_images}"
    if not (store / "manifest.json").exists():
        with progress_bar("drawing SYNTHETIC radiographs") as progress:
            make_phantom(store, num_images=num_images, size_px=SIZE_PX, progress=progress)
    spaces = {name: SearchSpace.load(name) for name in plan.searches}
    search(spaces, store=store, order=SearchOrder(num_trials=num_trials), place=place)
    return benchmark(plan, place=place, entered=Entered(store=store))
