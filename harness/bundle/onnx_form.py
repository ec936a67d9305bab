"""A bundle's network as `model.onnx`, for whoever has no PyTorch. The only importer of ONNX.

Input `image`: float32 (N, 1, input_px, input_px) in [0, 1], a gray square after the evaluation cut
(`bundle.json`, `input`), any N. Outputs `score` and `probability`, float32 (N, L): what thresholds
apply to, and the same calibrated. Normalisation is within.
"""

import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.bundle.bundle import Bundle
from harness.bundle.classifier import Classifier
from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.data.augment import eval_cut
from harness.training.parts import open_data

ONNX_FILE = "model.onnx"
TOLERANCE = 1e-4
NUM_CHECKED = 32
"""Validation images that both forms score, in batches of different sizes."""
BATCH_SIZES = (1, 7, NUM_CHECKED)


class _Scoring(nn.Module):
    """A network with what comes after its logits."""

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logit_BL = self.network(image)
        return torch.sigmoid(logit_BL), torch.sigmoid(logit_BL / self.temperature)


def check_installed() -> None:
    """Nothing, where the packages of the extra `onnx` are there.

    Raises:
        HarnessError: They are not.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise HarnessError(
            f"--onnx needs the package {error.name}: `uv sync --extra onnx` in the checkout, then "
            "try again"
        ) from None


def write_onnx(bundle: Bundle, *, store: Path) -> float:
    """Write `model.onnx` into the bundle's folder; the largest difference of its scores.

    Args:
        store: The image store that the run was trained on: on real images of its validation part
            both forms are compared.

    Raises:
        HarnessError: The network cannot be written so, or the forms differ by more than
            `TOLERANCE`; no file is left.
    """
    classifier = Classifier.of(bundle, device="cpu")
    image_N1HW = _images(bundle, store)
    path = bundle.folder / ONNX_FILE
    scoring = _Scoring(classifier.network, bundle.temperature).eval()
    try:
        _write(scoring, image_N1HW[:2], path)
        difference = _largest_difference(scoring, image_N1HW, path)
        if not difference <= TOLERANCE:
            raise HarnessError(
                f"{path}: its scores differ from PyTorch's by up to {difference:.2g}, more than "
                f"{TOLERANCE:g}; export without --onnx"
            )
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return difference


def _images(bundle: Bundle, store: Path) -> Tensor:
    rows, split = open_data(bundle.recipe, Machine(store=store))
    squares = np.stack([rows.images[row] for row in split.val[:NUM_CHECKED]])
    return eval_cut(torch.from_numpy(squares)[:, None], bundle.recipe.data)


def _write(scoring: nn.Module, image_B1HW: Tensor, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)  # of the exporter, about operators that are not used
        try:
            torch.onnx.export(
                scoring,
                (image_B1HW,),
                path,
                input_names=["image"],
                output_names=["score", "probability"],
                dynamic_shapes={"image": {0: torch.export.Dim("batch")}},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except Exception as error:  # the exporter's own, which fill pages
            first_line = str(error).partition("\n")[0]
            raise HarnessError(
                f"this network cannot be written as ONNX ({type(error).__name__}: {first_line}); "
                "export without --onnx"
            ) from error
        finally:
            logging.disable(before)


@torch.inference_mode()
def _largest_difference(scoring: nn.Module, image_N1HW: Tensor, path: Path) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    largest = 0.0
    for size in BATCH_SIZES:
        image_B1HW = image_N1HW[:size]
        expected: list[NDArray[np.float32]] = [part.numpy() for part in scoring(image_B1HW)]
        found = session.run(["score", "probability"], {"image": image_B1HW.numpy()})
        for one, other in zip(expected, found, strict=True):
            largest = float(np.maximum(largest, np.abs(one - other).max()))
    return largest
