"""`Predictions`: scores beside labels, from which every later statistic starts."""

import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.files import write_atomic

UNREADABLE = (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile, zlib.error)
"""What numpy raises for files that are cut off, damaged, pickled, or something else."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Scores of N images for L findings.

    Attributes:
        score_NL: float32, sigmoid probabilities in [0, 1].
        label_NL: bool.
        image_ids: N image names.
        patient_ids: N patient names; images of one patient share one.
        findings: L names.
    """

    score_NL: NDArray[np.float32]
    label_NL: NDArray[np.bool_]
    image_ids: NDArray[np.str_]
    patient_ids: NDArray[np.str_]
    findings: tuple[str, ...]

    def __post_init__(self) -> None:
        num_images, num_findings = self.score_NL.shape
        assert self.label_NL.shape == (num_images, num_findings)
        assert len(self.image_ids) == len(self.patient_ids) == num_images
        assert len(self.findings) == num_findings

    def of(self, rows: NDArray[np.bool_] | NDArray[np.integer[Any]]) -> Self:
        """Some of the images: a mask of N, or row numbers."""
        return replace(
            self,
            score_NL=self.score_NL[rows],
            label_NL=self.label_NL[rows],
            image_ids=self.image_ids[rows],
            patient_ids=self.patient_ids[rows],
        )

    def save(self, path: Path) -> None:
        """Write a compressed `.npz`, whole or not at all."""

        def write(partial: Path) -> None:
            np.savez_compressed(
                partial,
                score_NL=self.score_NL.astype(np.float32),
                label_NL=self.label_NL.astype(np.bool_),
                image_ids=np.asarray(self.image_ids, dtype=np.str_),
                patient_ids=np.asarray(self.patient_ids, dtype=np.str_),
                findings=np.asarray(self.findings, dtype=np.str_),
            )

        write_atomic(path, write)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; nothing is unpickled.

        Raises:
            HarnessError: The file is absent or not one of ours.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(
                    score_NL=arrays["score_NL"],
                    label_NL=arrays["label_NL"],
                    image_ids=arrays["image_ids"],
                    patient_ids=arrays["patient_ids"],
                    findings=tuple(str(name) for name in arrays["findings"]),
                )
        except UNREADABLE as error:
            raise HarnessError(f"{path}: not a predictions file ({error})") from None
