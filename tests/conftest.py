"""What all tests share: a toy store that a small network can learn, the real sample, commands."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")  # else `uv run pytest` is packed
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of two test processes on two cores
if "PYTEST_XDIST_WORKER" in os.environ:  # the other process would starve Ray's workers, of 15
    os.environ.setdefault("RAY_worker_niceness", "0")

RAY_FILES = (
    "e2e/test_quickstart.py", "e2e/test_nih_sample.py", "test_cli.py", "test_jobs.py",
    "api/test_notebook.py",
    "tracking/test_server.py", "execution/test_ray_tune.py", "search/test_estimate.py",
    "execution/test_ray_session.py", "test_doctor.py", "e2e/test_cli_errors.py",
    "cluster/test_walkthrough.py", "cluster/test_slurm.py", "contracts/test_additions.py",
    "docs/test_pages.py",
)  # fmt: skip
"""They start Ray, which takes both cores: one after the other, in one process, begun first."""

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"
TOY_PX = 32


def toy_images(num_images: int, *, seed: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    """Noise, with a bright square at a place of its own for each finding; 2 images a patient."""
    from harness.core.findings import FINDINGS

    rng = np.random.default_rng(seed)
    label_NL = rng.random((num_images, len(FINDINGS))) < 0.3
    images = rng.integers(60, 120, size=(num_images, TOY_PX, TOY_PX), dtype=np.uint8)
    for row, column in zip(*np.nonzero(label_NL), strict=True):
        y, x = 8 * (column // 4), 8 * (column % 4)
        images[row, y : y + 6, x : x + 6] = 220
    table = pd.DataFrame(
        {
            "image": [f"toy{row:05}.png" for row in range(num_images)],
            "patient": [f"p{row // 2:04}" for row in range(num_images)],
            "age": pd.array(rng.integers(20, 90, num_images), dtype="Int64"),
            "sex": rng.choice(["M", "F"], num_images),
            "view": rng.choice(["PA", "AP"], num_images),
            "fold": ["test" if (row // 2) % 5 == 0 else "train_val" for row in range(num_images)],
        }
    )
    return images, table.assign(**{name: label_NL[:, i] for i, name in enumerate(FINDINGS)})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that start Ray are begun first."""
    place = {ROOT / "tests" / name: number for number, name in enumerate(RAY_FILES)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Each file of tests goes to one process as a whole, and all that start Ray to the same."""
    from xdist.scheduler import LoadFileScheduling

    class OneRay(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return "ray" if file.removeprefix("tests/") in RAY_FILES else file

    return OneRay(config, log)


@pytest.fixture
def alone(monkeypatch, tmp_path) -> None:
    """A folder to stand in, no settings of the machine's, and no network to wait for."""
    for name in ("HARNESS_DEBUG", "HARNESS_RESULTS", "MLFLOW_TRACKING_URI", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)


def run_command(patch: pytest.MonkeyPatch, *words: object) -> int:
    """The exit code of a command that is run in this process, where all is imported already."""
    from harness.cli import main

    patch.setattr("sys.argv", ["harness", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.fixture
def harness(monkeypatch, capsys):
    """Runs a command; gives its exit code, and what it said on stdout and stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        code = run_command(monkeypatch, *words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture(scope="session")
def toy_store(tmp_path_factory):
    """A store of 240 toy images."""
    from harness.data.store import StoreOrigin, write_store

    images, table = toy_images(240)
    origin = StoreOrigin(
        source="toy", is_synthetic=True, label_version="toy", attribution="", box_frame_px=TOY_PX
    )
    return write_store(
        tmp_path_factory.mktemp("stores") / "toy",
        images=images,
        table=table,
        boxes=None,
        origin=origin,
    )


@pytest.fixture(scope="session")
def toy_recipe(toy_store):
    """A small network on the toy store."""
    from harness.core.recipe import Recipe

    values = {
        "data.store": toy_store.fingerprint,
        "data.resize_px": TOY_PX,
        "data.input_px": TOY_PX,
        "model.name": "densenet_mini",
        "model.weights": "none",
    }
    return Recipe().with_values(values)


@pytest.fixture(scope="session")
def short_recipe(toy_recipe):
    """Three epochs, which take a second."""
    return toy_recipe.with_values({
        "optim.lr": 3e-3, "augment.crop_scale_min": 0.6, "train.batch_size": 32, "train.epochs": 3,
    })  # fmt: skip


@pytest.fixture(scope="session")
def toy_machine(toy_store):
    from harness.core.machine import Machine

    return Machine(store=toy_store.path, device="cpu")


@pytest.fixture(scope="session")
def toy_run(short_recipe, toy_machine, tmp_path_factory):
    """A run of `short_recipe` made without interruption. Read-only."""
    from harness.core.run_dir import RunDirectory
    from harness.trial import run_trial

    path = tmp_path_factory.mktemp("run") / "whole"
    run_trial(short_recipe, toy_machine, path)
    return RunDirectory(path)


@pytest.fixture(scope="session")
def nih_sample() -> Path:
    """499 real X-rays beside the checkout, laid out as the release is."""
    folder = SHARED_DATA / "nih-sample"
    if not folder.is_dir():
        pytest.skip(f"the real sample is not there: {folder.name} in shared/data")
    return folder


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database whose schema, which takes seconds, is made once."""
    from harness.tracking.store import find_store

    folder = tmp_path_factory.mktemp("schema")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        find_store(folder)
    return folder / "mlflow.db"


@pytest.fixture(scope="session")
def trained_results(tmp_path_factory) -> Path:
    """Results with a search `dannynet`, whose one trial was trained on a small phantom. Read-only.

    The image store lies beside the folder.
    """
    from harness.core.machine import Machine
    from harness.core.space import SearchSpace
    from harness.data.phantom import make_phantom
    from harness.search.plan import SearchPlan, write_plan
    from harness.trial import run_trial

    folder = tmp_path_factory.mktemp("lab")
    store = make_phantom(folder / "store", num_images=400, size_px=64)
    space = SearchSpace.load("dannynet-mini").with_search({"scheduler": "none"})
    space = space.with_base({"train.epochs": 2})
    plan = SearchPlan(
        name="dannynet",
        space=space,
        store=store.path,
        store_fingerprint=store.fingerprint,
        num_trials=1,
        seed=0,
    )
    search_dir = folder / "results" / "searches" / plan.name
    write_plan(plan, search_dir)
    recipe = plan.default_recipe
    machine = Machine(store=store.path, device="cpu")
    run_trial(recipe, machine, search_dir / f"t0000-{recipe.run_id[:6]}")
    return folder / "results"


@pytest.fixture
def lab(trained_results, empty_database, tmp_path, monkeypatch) -> Path:
    """A copy of `trained_results` of one's own, with an empty MLflow database.

    Its bundles get by with few resamples.
    """
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("harness.bundle.figures.NUM_RESAMPLES", 100)
    results = tmp_path / "a lab's results"
    shutil.copytree(trained_results, results)
    shutil.copyfile(empty_database, results / "mlflow.db")
    return results


@pytest.fixture(scope="session")
def bundle_dir(trained_results, tmp_path_factory) -> Path:
    """The bundle of the trial of `trained_results`. Read-only."""
    from harness.bundle.write import write_bundle
    from harness.core.run_dir import RunDirectory

    (run,) = (trained_results / "searches" / "dannynet").glob("t0000-*")
    folder = tmp_path_factory.mktemp("bundles") / "dannynet"
    store = trained_results.parent / "store"
    write_bundle(RunDirectory(run), folder, name=f"dannynet/{run.name}", store=store)
    return folder


@pytest.fixture
def make_disk(tmp_path):
    """Makes a file system of its own, of so many MB, in a folder; needs the rights to mount."""
    folders = []

    def make(num_mb: int) -> Path:
        folder = tmp_path / f"disk{len(folders)}"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={num_mb}m", "tmpfs", str(folder)]
        try:
            done = subprocess.run(mount, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("there is no mount here")
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        folders.append(folder)
        return folder

    yield make
    for folder in folders:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def fill_disk():
    """Leaves not a byte on the file system of a folder."""

    def fill(folder: Path) -> None:
        with (folder / "filler").open("wb", buffering=0) as stream, suppress(OSError):
            while True:
                stream.write(bytes(4096))

    return fill
