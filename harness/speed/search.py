"""What a search costs beside the training of its trials: the harness, and the stock way beside it.

Each contender searches in a process of its own, one after the other, on the same store.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import read_json, write_json
from harness.data.phantom import make_phantom
from harness.data.store import ImageStore
from harness.speed import stock
from harness.speed.instruments import SAMPLES_AT
from harness.speed.report import Row, Speed
from harness.speed.trivial_search import (
    NUM_EPOCHS,
    NUM_IMAGES,
    SIZE_PX,
    Measurement,
    TrivialSearch,
    measure,
)

MEASUREMENT_FILE = "measurement.json"


@dataclass(frozen=True)
class Contender:
    """A way to search: `start` brings Ray up and tells its slots, `search` does the work.

    Attributes:
        records: Where in its folder the records of its trials lie, as a pattern.
        max_trials: It gets no more: a trial of it takes long, and all take alike.
    """

    title: str
    start: Callable[[], int]
    search: Callable[[TrivialSearch], None]
    records: str
    max_trials: int | None = None

    def num_trials(self, num_trials: int) -> int:
        """So many of the trials asked for it gets."""
        return min(num_trials, self.max_trials or num_trials)


def compare(num_trials: int, tell: Callable[[str], None]) -> dict[str, Measurement]:
    """What `num_trials` trivial trials take in each contender's hands, by its name.

    Args:
        tell: Called with a line about what begins.

    Raises:
        HarnessError: A contender's search did not end well.
    """
    found = {}
    with tempfile.TemporaryDirectory(prefix="harness-speed-") as scratch:
        folder = Path(scratch).resolve()
        make_phantom(folder / "store", num_images=NUM_IMAGES, size_px=SIZE_PX, num_workers=1)
        for name, contender in CONTENDERS.items():
            work = TrivialSearch(folder / name, contender.num_trials(num_trials))
            tell(f"{contender.title}: {work.num_trials} trials")
            found[name] = measure_apart(name, work)
    return found


def measure_apart(name: str, work: TrivialSearch) -> Measurement:
    """Measure a contender in a process of its own, whose memory nothing else has filled.

    Raises:
        HarnessError: The process failed; the message ends as its own did.
    """
    work.folder.mkdir()
    command = [sys.executable, "-m", __name__, name, str(work.folder), str(work.num_trials)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise HarnessError(f"speed of {CONTENDERS[name].title}: the search failed ({last})")
    return Measurement.model_validate(read_json(work.folder / MEASUREMENT_FILE))


def start_harness() -> int:
    """Start Ray as the harness does; the number of trials that it has room for."""
    from harness.execution.ray_session import Resources, num_slots, start_ray

    start_ray(None)
    return num_slots(Resources(cpus=1, gpus=0))


def search_with_harness(work: TrivialSearch) -> None:
    """The whole real path: Ray workers, Optuna, run directories, MLflow on SQLite."""
    from rich.console import Console

    from harness.execution.ray_session import Resources
    from harness.jobs.place import Place
    from harness.jobs.search import SearchOrder, search

    place = Place(
        results=work.folder, resources=Resources(cpus=1, gpus=0), console=Console(quiet=True)
    )
    search(
        {"speed": work.space},
        store=work.store,
        order=SearchOrder(num_trials=work.num_trials),
        place=place,
    )


CONTENDERS = {
    "harness": Contender(
        "harness", start_harness, search_with_harness, "searches/speed/*/record.json"
    ),
    "stock": Contender(
        "Ray Tune + OptunaSearch + ASHA + MLflow callback, as they come",
        stock.start,
        stock.search,
        stock.RECORDS,
        max_trials=20,
    ),
    "stock_reusing": Contender(
        "the same with reuse_actors=True",
        stock.start,
        partial(stock.search, reuse_actors=True),
        stock.RECORDS,
    ),
}


def measure_search(num_trials: int, tell: Callable[[str], None]) -> Speed:
    """What `num_trials` trivial trials take, and the stock way on the same work.

    Args:
        tell: Called with a line about what begins.

    Raises:
        HarnessError: A contender's search did not end well.
    """
    return told(compare(num_trials, tell))


def told(found: Mapping[str, Measurement]) -> Speed:
    """The rows and the page of what was measured."""
    ours = found["harness"]
    rows = []
    for name, peer in found.items():
        if name == "harness":
            continue
        title = CONTENDERS[name].title
        goal = 10 if name == "stock" else None
        rows += [
            Row(
                what="an actor's time a trial, beside training",
                unit="s",
                ours=ours.actor_overhead_s,
                peer=peer.actor_overhead_s,
                peer_name=title,
                goal=goal,
                limit=LIMIT.format(
                    trials=ours.num_trials,
                    slots=ours.num_slots,
                    bound=ours.num_trials / ours.num_slots,
                ),
            ),
            Row(
                what="wall time a trial, beside training",
                unit="s",
                ours=ours.overhead_s,
                peer=peer.overhead_s,
                peer_name=title,
            ),
        ]
    details = [each for pair in found.items() for each in _details(*pair)]
    notes = NOTES.format(
        slots=ours.num_slots, num_images=NUM_IMAGES, size_px=SIZE_PX, num_epochs=NUM_EPOCHS,
        details="\n".join(details),
    )  # fmt: skip
    figures = {
        name: each.model_dump(mode="json")
        | {
            "overhead_s": each.overhead_s,
            "later_overhead_s": each.later_overhead_s,
            "actor_overhead_s": each.actor_overhead_s,
        }
        for name, each in found.items()
    }
    return Speed(
        title="What a search costs beside its training",
        rows=tuple(rows),
        notes=notes,
        tools=TOOLS,
        figures={"contenders": figures},
    )


def _details(name: str, each: Measurement) -> list[str]:
    """A contender's figures that are in no ratio."""
    sizes = ", ".join(f"{size:.0f}" for size in each.rss_mb.values()) or "-"
    return [
        f"- {CONTENDERS[name].title}: {each.num_trials} trials in {each.wall_s:.1f} s, "
        f"{each.training_s:.1f} s of training, {each.actor_s:.1f} s of actors; the first trial "
        f"ended after {each.first_s:.1f} s; driver MB at {', '.join(map(str, SAMPLES_AT))} % of "
        f"the time: {sizes}"
    ]


TOOLS = ("ray", "optuna", "mlflow", "torch", "timm")
LIMIT = (
    "an actor of ours starts once and imports torch and timm once, which {trials} trials on "
    "{slots} actors share: {bound:g} times would be all, where starts were all that counts"
)

NOTES = """\
Each trial is {num_epochs} epochs, and reports, of a small network on {num_images} images of
{size_px} px, with all that a real one writes: checkpoints, weights, MLflow on SQLite. An actor's
time counts from its first sign of life to its end, or to the end of the search where it is still
there; wall time beside training is (wall - training / {slots} trials at a time) / trials. Every way
has a process of its own, a Ray that was up before the clock started, and the same training
function; training is what the run records call their duration. The stock way starts a fresh actor
for each trial; with `reuse_actors=True` it keeps them, as the harness does.

{details}
"""


def main(name: str, folder: str, num_trials: str) -> None:
    """Measure one contender in this process and write its figures into `folder`."""
    contender, work = CONTENDERS[name], TrivialSearch(Path(folder), int(num_trials))
    ImageStore.open(work.store)  # before Ray starts, which takes seconds
    with redirect_stdout(StringIO()):  # Ray prints tables, verbose=0 or not
        num_slots = contender.start()
        measurement = measure(
            work, contender.search, num_slots=num_slots, records=contender.records
        )
    write_json(work.folder / MEASUREMENT_FILE, measurement.model_dump(mode="json"))


if __name__ == "__main__":
    main(*sys.argv[1:])
