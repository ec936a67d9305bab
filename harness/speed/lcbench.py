"""Real learning curves that cost nothing to train: the LCBench surrogate of YAHPO Gym.

A network that was fitted to the curves of multi-layer perceptrons on 34 OpenML data sets, each a
task, over seven hyperparameters and 52 epochs (Zimmer, Lindauer, Hutter 2021, "Auto-PyTorch
Tabular", arXiv 2006.13799; Pfisterer, Schneider, Moosbauer, Binder, Bischl 2022, "YAHPO Gym",
arXiv 2109.03670). Its folder holds `model.onnx`, `encoding.json` and `config_space.json`, as the
public repository slds-lmu/yahpo_data has them.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.files import read_json
from harness.core.recipe import Recipe
from harness.core.space import SearchSpace

FloatArray = NDArray[np.float64]

NUM_EPOCHS = 52
FOLDER_VARIABLE = "HARNESS_LCBENCH"
FILES = ("model.onnx", "encoding.json", "config_space.json")
TASK = "OpenML_task_id"
VAL_ACCURACY = 1
"""Which output of the network is the validation accuracy, in percent."""
MAX_ROWS = 20_000

DEVELOPMENT_TASKS = (
    "3945", "34539", "167152", "167181", "168330", "189862", "189906",
    "7593", "126025", "126026", "126029", "146212", "167104", "167149",
)  # fmt: skip
"""Methods and their settings were chosen on these; the others only check.

Seven tasks and, as these told too little, the first seven of the others in the order of their
numbers."""

STAND_INS = {
    "batch_size": "train.batch_size",
    "learning_rate": "optim.lr",
    "momentum": "optim.momentum",
    "weight_decay": "optim.weight_decay",
    "num_layers": "schedule.patience",
    "max_units": "data.input_px",
    "max_dropout": "augment.flip",
}
"""Recipe paths by whose names a space of ours holds the hyperparameters, in the order of the
inputs of the network. A wrong order would fail silently, as curves that do not move."""


class LcBench:
    """The tasks and their learning curves.

    Raises:
        HarnessError: The folder does not hold them, or onnxruntime is not installed.
    """

    def __init__(self, folder: Path) -> None:
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise HarnessError(
                f"no LCBench surrogate in {folder} ({', '.join(missing)} missing): name its folder "
                f"by --lcbench or {FOLDER_VARIABLE}; it is lcbench/ of slds-lmu/yahpo_data"
            )
        known = read_json(folder / "config_space.json")["hyperparameters"]
        described = {each["name"]: each for each in known}
        self.folder = folder
        self.tasks: tuple[str, ...] = tuple(sorted(described[TASK]["choices"], key=int))
        self.parameters = {path: _parameter(described[name]) for name, path in STAND_INS.items()}
        self._codes = read_json(folder / "encoding.json")[TASK]
        self._session = _session(folder / "model.onnx")

    def space(self, settings: Mapping[str, Any]) -> SearchSpace:
        """The seven hyperparameters as a space of ours; its default is the middle."""
        base = {
            "train.epochs": NUM_EPOCHS, "schedule.name": "constant", "data.resize_px": 2048,
        }  # fmt: skip
        return SearchSpace.model_validate(
            {
                "name": "lcbench",
                "title": "An MLP on tabular data",
                "source": "LCBench",
                "base": Recipe().with_values(base),
                "space": self.parameters,
                "search": dict(settings),
            }
        )

    def curves(self, task: str, points: Sequence[Mapping[str, Any]]) -> FloatArray:
        """Validation accuracy in percent after each epoch; N x 52."""
        value_NP = np.array([[point[path] for path in STAND_INS.values()] for point in points])
        epoch_E = np.arange(1, NUM_EPOCHS + 1)
        row_NE = np.empty((len(points), NUM_EPOCHS, 1 + len(STAND_INS)), np.float32)
        row_NE[:, :, 0] = epoch_E
        row_NE[:, :, 1:] = value_NP[:, None, :]
        rows = row_NE.reshape(-1, row_NE.shape[-1])
        parts = [
            self._predict(task, rows[begin : begin + MAX_ROWS])
            for begin in range(0, len(rows), MAX_ROWS)
        ]
        return np.concatenate(parts).reshape(len(points), NUM_EPOCHS)

    def _predict(self, task: str, rows: NDArray[np.float32]) -> FloatArray:
        code = np.full((len(rows), 1), self._codes[task], np.int32)
        (output,) = self._session.run(None, {"x_cat": code, "x_cont": rows})
        result: FloatArray = output[:, VAL_ACCURACY].astype(float)
        return result


def lcbench_folder(given: Path | None) -> Path:
    """Where the surrogate lies: as given, as the environment says, or beside the checkout."""
    if given is not None:
        return given.resolve()
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "lcbench"
    return Path(os.environ.get(FOLDER_VARIABLE) or beside).resolve()


def _parameter(described: Mapping[str, Any]) -> dict[str, Any]:
    """A hyperparameter as our YAML would write it."""
    kind = "int" if described["type"] == "uniform_int" else "float"
    low, high = described["lower"], described["upper"]
    middle = (low * high) ** 0.5 if described["log"] else (low + high) / 2
    return {
        "kind": f"log_{kind}" if described["log"] else kind,
        "low": low,
        "high": high,
        "default": round(middle) if kind == "int" else middle,
    }


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise HarnessError(
            "the LCBench surrogate needs onnxruntime: `uv sync --extra onnx` in the checkout"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
