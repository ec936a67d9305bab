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
        label_NL: bool; False where a label is not known.
        is_known_NL: bool. No figure of a finding counts an image whose label of it is not known.
        image_ids: N image names.
        patient_ids: N patient names; images of one patient share one.
        findings: L names.
    """

    score_NL: NDArray[np.float32]
    label_NL: NDArray[np.bool_]
    is_known_NL: NDArray[np.bool_]
    image_ids: NDArray[np.str_]
    patient_ids: NDArray[np.str_]
    findings: tuple[str, ...]

    def __post_init__(self) -> None:
        num_images, num_findings = self.score_NL.shape
        assert self.label_NL.shape == self.is_known_NL.shape == (num_images, num_findings)
        assert not (self.label_NL & ~self.is_known_NL).any()
        assert len(self.image_ids) == len(self.patient_ids) == num_images
        assert len(self.findings) == num_findings

    @property
    def num_positives_L(self) -> NDArray[np.int64]:  # noqa: N802
        """Images with each finding."""
        return np.count_nonzero(self.label_NL, axis=0)

    @property
    def num_known_L(self) -> NDArray[np.int64]:  # noqa: N802
        """Images whose label of each finding is known: those that its figures are over."""
        return np.count_nonzero(self.is_known_NL, axis=0)

    @property
    def has_both_classes_L(self) -> NDArray[np.bool_]:  # noqa: N802
        """Which findings have positives and negatives."""
        num_positives_L = self.num_positives_L
        return (num_positives_L > 0) & (num_positives_L < self.num_known_L)

    def of(self, rows: NDArray[np.bool_] | NDArray[np.integer[Any]]) -> Self:
        """Some of the images: a mask of N, or row numbers."""
        return replace(
            self,
            score_NL=self.score_NL[rows],
            label_NL=self.label_NL[rows],
            is_known_NL=self.is_known_NL[rows],
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
                is_known_NL=self.is_known_NL.astype(np.bool_),
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
                    is_known_NL=arrays["is_known_NL"],
                    image_ids=arrays["image_ids"],
                    patient_ids=arrays["patient_ids"],
                    findings=tuple(str(name) for name in arrays["findings"]),
                )
        except UNREADABLE as error:
            raise HarnessError(f"{path}: not a predictions file ({error})") from None
