"""Images to try the page with: drawn phantoms, or validation images of a store."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from harness.app.pictures import FindingBox
from harness.app.uploads import Subject
from harness.core.findings import NO_FINDING, readable
from harness.core.recipe import Recipe
from harness.data.phantom.cohort import Exam, plan_exams
from harness.data.phantom.make import draw_exam
from harness.data.radiograph import Radiograph
from harness.data.splits import make_split
from harness.data.store import ImageStore

PHANTOM_SEED = 2718
"""Of no other phantom in the project: no model has been trained on these."""
NUM_PHANTOMS = 10
NUM_DRAWN_FROM = 200
PHANTOM_PX = 384

NUM_OF_STORE = 24


def phantom_names() -> list[str]:
    """`Phantom 1` and so on."""
    return [f"Phantom {number + 1}" for number in range(NUM_PHANTOMS)]


@lru_cache(maxsize=NUM_PHANTOMS)
def phantom(name: str) -> Subject:
    """One of `phantom_names`, with a box for every finding drawn in it."""
    exam = _exams()[phantom_names().index(name)]
    pixel_HW, boxes = draw_exam(exam, size_px=PHANTOM_PX)
    return Subject(
        radiograph=Radiograph(pixel_HW=pixel_HW, kind="phantom"),
        key=f"phantom/{exam.image}",
        note=f"synthetic; drawn: {_listed(sorted(boxes))}",
        boxes=tuple(
            FindingBox(finding, *(value / PHANTOM_PX for value in box))
            for finding, box in boxes.items()
        ),
    )


@lru_cache(maxsize=1)
def _exams() -> list[Exam]:
    """Exams of other patients each, most with a plain finding, the last one with none."""
    exams = plan_exams(NUM_DRAWN_FROM, seed=PHANTOM_SEED)
    first = {exam.patient: exam for exam in reversed(exams)}.values()
    healthy = next(exam for exam in first if not exam.grades)
    ill = sorted(
        (exam for exam in first if exam.grades), key=lambda exam: -max(exam.grades.values())
    )
    return [*ill[: NUM_PHANTOMS - 1], healthy]


class StoreExamples:
    """Some validation images of a store, by the split of a model's recipe.

    Attributes:
        names: Of the images.
        caution: What speaks against taking them for unseen ones, or an empty string.

    Raises:
        HarnessError: There is no store, or the recipe's split cannot be made of it.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self.store = ImageStore.open(path)
        val = make_split(self.store, recipe.data.split).val
        self._row_of = {str(self.store.table["image"].iloc[row]): row for row in self._chosen(val)}
        is_own = self.store.fingerprint == recipe.data.store
        self.caution = "" if is_own else (
            "Not the store that this model was trained on: it may have trained on these images."
        )  # fmt: skip

    @property
    def names(self) -> list[str]:
        """Of the images, those with a box first."""
        return list(self._row_of)

    def subject(self, name: str) -> Subject:
        """The image of that name, with its boxes and what its table says."""
        row = self._row_of[name]
        boxes = self.store.boxes[self.store.boxes["image"] == name]
        frame_px = self.store.manifest.box_frame_px
        labels = [
            f
            for f, is_there in zip(self.store.findings, self.store.label_NL[row], strict=True)
            if is_there
        ]
        return Subject(
            radiograph=Radiograph(pixel_HW=np.array(self.store.images[row]), kind="store"),
            key=f"{self.store.fingerprint}/{name}",
            note=f"validation image of {self.store.manifest.source}; labelled: {_listed(labels)}",
            boxes=tuple(
                FindingBox(str(finding), *(float(value) / frame_px for value in place))
                for finding, *place in boxes[["finding", "x", "y", "w", "h"]].to_numpy()
            ),
        )

    def _chosen(self, val: np.ndarray) -> list[int]:
        """Rows spread over the validation part, those with a box first."""
        spread = val[np.unique(np.linspace(0, len(val) - 1, NUM_OF_STORE).astype(int))]
        boxed = val[self.store.table["image"].iloc[val].isin(self.store.boxes["image"])]
        return list(dict.fromkeys([*boxed[: NUM_OF_STORE // 2], *spread]))[:NUM_OF_STORE]


def _listed(findings: Sequence[str]) -> str:
    return ", ".join(map(readable, findings)) or NO_FINDING.lower()
