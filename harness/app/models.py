"""Models as the page asks them: loaded once, warmed up, asked by one thread.

Streamlit runs each rerun of each session in a thread of its own. Torch would start its own threads
anew in each of them, and hooks of two sessions on one network would meet: so one worker asks.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.app.findings_chart import FindingRow, rows_of
from harness.bundle.classifier import Classifier
from harness.core.errors import HarnessError
from harness.core.recipe import Recipe
from harness.data.radiograph import Radiograph
from harness.explain.cam import grad_cam

Value = TypeVar("Value")

WORKER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")


class Model:
    """A bundle that answers.

    Attributes:
        has_maps: False where none of its network's layers can be made a map of.
    """

    def __init__(self, folder: Path) -> None:
        """Load it and let it answer once, so that the first user waits no longer than others.

        Raises:
            HarnessError: There is no bundle there, or it is damaged.
        """
        self._classifier = _ask(lambda: Classifier.load(folder))
        side = self._classifier.bundle.size_px
        gray = Radiograph(pixel_HW=np.full((side, side), 127, dtype=np.uint8), kind="gray")
        self.rows(gray)
        try:
            self.heat(gray, self.findings[0])
            self.has_maps = True
        except HarnessError:  # its answers are worth as much without
            self.has_maps = False

    @property
    def findings(self) -> tuple[str, ...]:
        return self._classifier.findings

    @property
    def recipe(self) -> Recipe:
        return self._classifier.recipe

    @property
    def is_of_drawn_images(self) -> bool:
        """What it says of X-rays means nothing."""
        return self._classifier.bundle.facts.is_synthetic

    @property
    def card(self) -> str:
        """Markdown."""
        return self._classifier.bundle.card

    def rows(self, radiograph: Radiograph) -> list[FindingRow]:
        """What the network says of each finding, flagged ones first."""
        classifier = self._classifier
        return rows_of(
            self.findings,
            _ask(lambda: classifier.answer(radiograph)),
            threshold_L=classifier.threshold_L,
            probability_threshold_L=classifier.probability_threshold_L,
        )

    def heat(self, radiograph: Radiograph, finding: str) -> NDArray[np.float32]:
        """Where the network looks for `finding`: Grad-CAM of the whole square, in [0, 1].

        Raises:
            HarnessError: It has no maps.
        """
        index = self.findings.index(finding)
        classifier = self._classifier
        return _ask(
            lambda: grad_cam(
                classifier.network,
                classifier.square(radiograph),
                index,
                classifier.recipe,
            )
        )


def _ask(question: Callable[[], Value]) -> Value:
    return WORKER.submit(question).result()
