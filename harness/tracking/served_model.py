"""The model that MLflow serves. MLflow copies this file beside the bundle and runs it ("models from
code"): nothing is pickled, and the `harness` package must be installed where it is loaded.

Asked with a table whose column `image` holds files as base64 text, it answers with a row for each
and, for each finding, the columns `score/NAME`, `probability/NAME` and `flag/NAME`.
"""

import base64
import binascii
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from harness.bundle.classifier import Classifier
from harness.core.errors import HarnessError
from harness.data.radiograph import read_radiograph


class ServedClassifier(mlflow.pyfunc.PythonModel):
    """A bundle's classifier as MLflow calls it."""

    def load_context(self, context: Any) -> None:
        self.classifier = Classifier.load(Path(context.artifacts["bundle"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """A row for each image, in order; all of them, or an error that names the bad one."""
        squares = [self._square(row, text) for row, text in enumerate(model_input["image"])]
        size_px = self.classifier.bundle.size_px
        answers = self.classifier.answers(
            np.array(squares, dtype=np.uint8).reshape(-1, size_px, size_px)
        )
        columns: dict[str, Any] = {}
        for column, name in enumerate(self.classifier.findings):
            columns[f"score/{name}"] = [float(one.score_L[column]) for one in answers]
            columns[f"probability/{name}"] = [float(one.probability_L[column]) for one in answers]
            columns[f"flag/{name}"] = [bool(one.is_flagged_L[column]) for one in answers]
        return pd.DataFrame(columns)

    def _square(self, row: int, text: Any) -> np.ndarray:
        try:
            data = base64.b64decode(text, validate=True)
            return self.classifier.square(read_radiograph(data))
        except (binascii.Error, TypeError, ValueError):
            reason = "not base64 text"
        except HarnessError as error:
            reason = str(error)
        raise MlflowException(f"image {row}: {reason}", error_code=INVALID_PARAMETER_VALUE)


mlflow.models.set_model(ServedClassifier())
