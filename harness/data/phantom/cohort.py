"""Who is in the data set and what they have: patients, their images, findings and recorded labels.

Findings and the view come from one latent normal variable each; a finding is there where its
variable exceeds the quantile of its prevalence. The variables of one image correlate as in NIH
ChestX-ray14, and so do those of two images of a patient.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from scipy.special import ndtri

from harness.core.findings import FINDINGS
from harness.core.seeds import derive_seed
from harness.data.phantom.body import Body, View, draw_body

MIN_PREVALENCE = 0.03
"""Rarer findings are drawn this often, so that a store of 2000 images has some of each."""

NIH_PREVALENCE: dict[str, float] = {
    "Atelectasis": 0.103,
    "Cardiomegaly": 0.025,
    "Consolidation": 0.042,
    "Edema": 0.021,
    "Effusion": 0.119,
    "Emphysema": 0.022,
    "Fibrosis": 0.015,
    "Hernia": 0.002,
    "Infiltration": 0.177,
    "Mass": 0.052,
    "Nodule": 0.056,
    "Pleural_Thickening": 0.030,
    "Pneumonia": 0.013,
    "Pneumothorax": 0.047,
}
"""Parts of all images; this and the next two tables: computed from Data_Entry_2017_v2020.csv."""

NIH_AP_SHARE = 0.40

NIH_CORRELATIONS: dict[tuple[str, str], float] = {
    ("Edema", "Pneumonia"): 0.56,
    ("Emphysema", "Pneumothorax"): 0.51,
    ("Cardiomegaly", "Effusion"): 0.39,
    ("Atelectasis", "Effusion"): 0.37,
    ("Atelectasis", "Consolidation"): 0.31,
    ("Edema", "Infiltration"): 0.31,
    ("Mass", "Nodule"): 0.30,
    ("Infiltration", "Pneumonia"): 0.29,
    ("Consolidation", "Effusion"): 0.28,
    ("Fibrosis", "Pleural_Thickening"): 0.26,
    ("Consolidation", "Mass"): 0.25,
    ("Effusion", "Infiltration"): 0.25,
    ("Edema", "AP"): 0.53,
    ("Consolidation", "AP"): 0.32,
    ("Infiltration", "AP"): 0.22,
    ("Fibrosis", "AP"): -0.27,
}
"""The strongest tetrachoric correlations; pairs that are not named have none."""

PERSISTENCE = 0.6
"""Correlation of a variable in two images of a patient (NIH, next image: 0.40 to 0.91)."""

MISSED_RATE = 0.03
INVENTED_RATE = 0.002
"""How often a drawn finding is not recorded, and one that was not drawn is, as with labels that a
program reads from reports. NIH's own err far more: of 10 pneumothoraces in the adjudicated labels
of Majkowska et al. (Radiology 2020) they name 5."""

TEST_SHARE = 0.2
IMAGES_PER_PATIENT = (0.45, 0.20, 0.11, 0.08, 0.06, 0.04, 0.03, 0.03)
"""Probability of 1, 2, ... images. NIH has 1 for 57 % of the patients, and up to 184."""

VARIABLES = (*FINDINGS, "AP")


@dataclass(frozen=True)
class Exam:
    """One image to be drawn.

    Attributes:
        image: File name, such as `p000012_001.png`.
        grades: Drawn findings, and how plain each is: 0 hardly to be seen to 1.
        recorded: Findings of the label table.
    """

    seed: int
    image: str
    patient: str
    body: Body
    view: View
    fold: Literal["train_val", "test"]
    grades: dict[str, float]
    recorded: frozenset[str]

    def rng(self, *names: str) -> np.random.Generator:
        """A generator of this image's own, for one named use."""
        return np.random.default_rng(derive_seed(self.seed, "phantom", self.image, *names))

    def patient_rng(self, *names: str) -> np.random.Generator:
        """A generator that all images of the patient share, for one named use."""
        return np.random.default_rng(derive_seed(self.seed, "phantom", self.patient, *names))


def plan_exams(num_images: int, *, seed: int) -> list[Exam]:
    """The first `num_images` exams of the endless cohort that `seed` names."""
    exams: list[Exam] = []
    number = 0
    while len(exams) < num_images:
        exams += _patient_exams(number, seed=seed)
        number += 1
    return exams[:num_images]


def prevalence(finding: str) -> float:
    """Part of the images in which `finding` is drawn."""
    return max(NIH_PREVALENCE[finding], MIN_PREVALENCE)


def _patient_exams(number: int, *, seed: int) -> list[Exam]:
    patient = f"p{number:06d}"
    rng = np.random.default_rng(derive_seed(seed, "phantom", patient, "cohort"))
    fold: Literal["train_val", "test"] = "test" if rng.random() < TEST_SHARE else "train_val"
    sex: Literal["M", "F"] = "M" if rng.random() < 0.565 else "F"
    age = int(np.clip(rng.normal(47, 16.6), 16, 92))
    body = draw_body(rng, age=age, sex=sex)
    num_exams = 1 + rng.choice(len(IMAGES_PER_PATIENT), p=IMAGES_PER_PATIENT)
    lasting = _latent(rng)
    exams = []
    for turn in range(num_exams):
        latent = np.sqrt(PERSISTENCE) * lasting + np.sqrt(1 - PERSISTENCE) * _latent(rng)
        is_drawn = dict(zip(VARIABLES, latent > _cutoffs(), strict=True))
        drawn = [finding for finding in FINDINGS if is_drawn[finding]]
        exams.append(
            Exam(
                seed=seed,
                image=f"{patient}_{turn:03d}.png",
                patient=patient,
                body=body,
                view="AP" if is_drawn["AP"] else "PA",
                fold=fold,
                grades={finding: _grade(rng) for finding in drawn},
                recorded=_recorded(drawn, rng),
            )
        )
    return exams


def _grade(rng: np.random.Generator) -> float:
    return float(rng.beta(2.2, 1.0))


def _recorded(drawn: list[str], rng: np.random.Generator) -> frozenset[str]:
    luck = dict(zip(FINDINGS, rng.random(len(FINDINGS)), strict=True))
    kept = {finding for finding in drawn if luck[finding] >= MISSED_RATE}
    invented = {f for f in FINDINGS if f not in drawn and luck[f] < INVENTED_RATE}
    return frozenset(kept | invented)


def _latent(rng: np.random.Generator) -> np.ndarray:
    """One draw of the correlated normal variables, in the order of `VARIABLES`."""
    return _factor() @ rng.standard_normal(len(VARIABLES))


@cache
def _factor() -> np.ndarray:
    matrix = np.eye(len(VARIABLES))
    for pair, correlation in NIH_CORRELATIONS.items():
        i, j = map(VARIABLES.index, pair)
        matrix[i, j] = matrix[j, i] = correlation
    return np.linalg.cholesky(matrix)


@cache
def _cutoffs() -> np.ndarray:
    shares = [prevalence(finding) for finding in FINDINGS] + [NIH_AP_SHARE]
    return ndtri(1 - np.array(shares))
