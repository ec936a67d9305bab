"""What the figures of a test set and their intervals cost, and scikit-learn on the same work.

The test set is simulated: as many images, patients and positives as the official test part of NIH
ChestX-ray14 has, with labels and scores that resemble one another within a patient. What is
compared is checked to be equal before anything is timed.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.core.recipe import Frozen
from harness.evaluation.intervals import resampled_metrics
from harness.evaluation.metrics import (
    BoolArray,
    FloatArray,
    IntArray,
    ScoreArray,
    call_positive,
    confusion,
    points_per_finding,
)
from harness.evaluation.ranking import ranking_metrics
from harness.evaluation.resampling import NUM_RESAMPLES, Resamples
from harness.speed.measure import peak_mb
from harness.speed.report import markdown_table, write_report

NUM_PATIENTS = 2_797
NUM_IMAGES = 25_596
NUM_POSITIVES = (3279, 1069, 1815, 925, 4658, 1093, 435, 86, 6112, 1748, 1623, 1143, 555, 2665)
"""Positive images of each finding in the official test part, in the order of `FINDINGS`."""

NUM_TIMED = 5
"""Resamples that scikit-learn is given; its time for all of them is scaled from these."""
NUM_REPEATS = 3
THRESHOLD = 0.3
GRID = np.linspace(0, 1, 100)
TOLERANCE = 1e-12


class Part(NamedTuple):
    """Scores as sigmoid probabilities, labels, the patient of each image, and resamples of them."""

    score_NL: ScoreArray
    label_NL: BoolArray
    patient_N: IntArray
    resamples: Resamples


class Timing(Frozen):
    """What one job took, in seconds: the best of a few times.

    Attributes:
        harness_s: In the hands of this package.
        sklearn_s: In scikit-learn's, scaled to the whole job; None where it was not asked.
        timed: How much of the job scikit-learn was given.
    """

    what: str
    harness_s: float
    sklearn_s: float | None = None
    timed: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.sklearn_s is None else self.sklearn_s / self.harness_s


class Comparison(Frozen):
    """All timings, and the most memory that the process held before scikit-learn was imported."""

    timings: tuple[Timing, ...]
    peak_mb: float | None


def compare(tell: Callable[[str], None]) -> Comparison:
    """Time each job in both hands, after checking that both give the same figures.

    Args:
        tell: Called with a line about what begins.
    """
    test = simulate()
    tell("the harness alone")
    alone = harness_alone(test)
    peak = peak_mb()
    timings = []
    for compared in (auroc_of_resamples, f1_of_resamples, best_thresholds):
        tell(f"{compared.__name__.replace('_', ' ')}, and scikit-learn's")
        timings.append(compared(test))
    return Comparison(timings=(*timings, *alone), peak_mb=peak)


def simulate(seed: int = 0) -> Part:
    """A test part with the official numbers of images, patients and positives.

    Images per patient are lognormal, as skewed as the official ones (half of the patients have at
    most 3, one in a hundred has over 80). A patient's effect on the logits of labels and scores is
    half of their variance.
    """
    rng = np.random.default_rng(seed)
    weight_U = rng.lognormal(sigma=1.5, size=NUM_PATIENTS)
    more_U = rng.multinomial(NUM_IMAGES - NUM_PATIENTS, weight_U / weight_U.sum())
    patient_N = rng.permutation(np.repeat(np.arange(NUM_PATIENTS), 1 + more_U))

    def effects() -> FloatArray:
        by_patient = rng.normal(size=(NUM_PATIENTS, len(NUM_POSITIVES)))
        return by_patient[patient_N] + rng.normal(size=(NUM_IMAGES, len(NUM_POSITIVES)))

    rank_NL = np.argsort(np.argsort(-effects(), axis=0), axis=0)
    label_NL = rank_NL < NUM_POSITIVES
    score_NL = 1 / (1 + np.exp(2 - effects() - 1.5 * label_NL))
    resamples = Resamples.draw(patient_N, seed=seed)
    return Part(score_NL.astype(np.float32), label_NL, patient_N, resamples)


def harness_alone(test: Part) -> list[Timing]:
    """What a comparison needs beside, and what scikit-learn has no one call for."""

    def every_metric() -> object:
        return resampled_metrics(
            test.score_NL, test.label_NL, threshold_L=THRESHOLD, resamples=test.resamples
        )

    return [
        Timing(
            what=f"drawing {NUM_RESAMPLES:,} resamples",
            harness_s=best_s(partial(Resamples.draw, test.patient_N, seed=0)),
        ),
        Timing(what="all metrics of all resamples", harness_s=best_s(every_metric)),
    ]


def auroc_of_resamples(test: Part) -> Timing:
    """AUROC of all resamples; average precision and the best F1 come with ours, unasked."""
    from sklearn.metrics import roc_auc_score

    def ours() -> FloatArray:
        return ranking_metrics(test.score_NL, test.label_NL, test.resamples)["auroc"]

    return _resampled("AUROC", ours, partial(_by_scikit_learn, roc_auc_score, test, test.score_NL))


def f1_of_resamples(test: Part) -> Timing:
    """F1 at a frozen threshold of all resamples; the other counts come with ours, unasked."""
    from sklearn.metrics import f1_score

    def ours() -> FloatArray:
        counts = confusion(test.score_NL, test.label_NL, THRESHOLD, count=test.resamples.totals)
        return counts.f1

    called_NL = call_positive(test.score_NL, THRESHOLD)
    return _resampled("F1", ours, partial(_by_scikit_learn, f1_score, test, called_NL))


def best_thresholds(test: Part) -> Timing:
    """The best F1 over all thresholds, AUROC and average precision, of the test part itself.

    scikit-learn's thresholds are a grid of 100, as often seen; ours are all that there are.
    """
    from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

    columns = list(zip(test.label_NL.T, test.score_NL.T, strict=True))

    def ours() -> FloatArray:
        per_finding = points_per_finding(test.score_NL, test.label_NL)
        return np.array([(points.f1.max(), points.auroc, points.auprc) for points in per_finding])

    def theirs() -> FloatArray:
        return np.array(
            [
                (
                    max(f1_score(label_N, call_positive(score_N, at)) for at in GRID),
                    roc_auc_score(label_N, score_N),
                    average_precision_score(label_N, score_N),
                )
                for label_N, score_N in columns
            ]
        )

    exact_L3, grid_L3 = ours(), theirs()
    np.testing.assert_allclose(exact_L3[:, 1:], grid_L3[:, 1:], rtol=TOLERANCE)
    assert (exact_L3[:, 0] >= grid_L3[:, 0]).all()
    return Timing(
        what="best F1 threshold, AUROC and average precision",
        harness_s=best_s(ours),
        sklearn_s=best_s(theirs, repeats=1),
        timed=f"all of it, with a grid of {len(GRID)} thresholds",
    )


def best_s(work: Callable[[], object], *, repeats: int = NUM_REPEATS) -> float:
    """Seconds that the quickest of a few repeats took."""
    times_s = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times_s.append(time.perf_counter() - began)
    return min(times_s)


def _resampled(
    what: str, ours: Callable[[], FloatArray], theirs: Callable[[bool], FloatArray]
) -> Timing:
    """A metric of all resamples by us, and of a few by the quicker of scikit-learn's two ways."""
    sklearn_s = {}
    for has_weights, way in ((True, "sample_weight"), (False, "repeated images")):
        np.testing.assert_allclose(ours()[:NUM_TIMED], theirs(has_weights), rtol=TOLERANCE)
        sklearn_s[way] = best_s(partial(theirs, has_weights)) * NUM_RESAMPLES / NUM_TIMED
    way = min(sklearn_s, key=sklearn_s.__getitem__)
    return Timing(
        what=f"{what} of {NUM_RESAMPLES:,} resamples",
        harness_s=best_s(ours),
        sklearn_s=sklearn_s[way],
        timed=f"{NUM_TIMED} resamples, by {way}",
    )


def _by_scikit_learn(
    metric: Callable[..., float], test: Part, value_NL: NDArray[Any], has_weights: bool
) -> FloatArray:
    """A metric of scikit-learn for the first few resamples, R x L."""
    found, image_N = [], np.arange(len(test.label_NL))
    for count_U in test.resamples.count_RU[:NUM_TIMED]:
        count_N = count_U[test.resamples.unit_N]
        if has_weights:
            rows, weight = image_N, {"sample_weight": count_N}
        else:
            rows, weight = np.repeat(image_N, count_N), {}
        columns = zip(test.label_NL[rows].T, value_NL[rows].T, strict=True)
        found.append([metric(label_N, value_N, **weight) for label_N, value_N in columns])
    return np.array(found)


# The page ---------------------------------------------------------------------------------------

HEADERS = ("what", "harness s", "scikit-learn s", "times as fast", "scikit-learn was given")
TOOLS = ("numpy", "scipy", "scikit-learn")

PAGE = """\
# What the figures of a test set cost

{table}

The test set is simulated: {num_images:,} images of {num_patients:,} patients, and as many positives
of the {num_findings} findings as the official test part of NIH ChestX-ray14 has. Resamples draw
patients, and each figure is of all findings. With AUROC, the harness finds average precision and
the best F1, and with F1 all counts at the threshold; scikit-learn is asked for nothing more. Both
were found equal before anything was timed, to {tolerance:g} of a figure, and no F1 of the grid
above the best. Times are the best of {num_repeats}; scikit-learn's for all resamples are scaled
from {num_timed}, by the quicker of its two ways. The most memory that the process held before
scikit-learn was imported is {peak} MB.
"""


def rows_of(comparison: Comparison) -> list[list[str]]:
    """The cells under `HEADERS`, a row for each job."""
    return [
        [
            each.what,
            f"{each.harness_s:.3f}",
            "-" if each.sklearn_s is None else f"{each.sklearn_s:.1f}",
            "-" if each.ratio is None else f"{each.ratio:.0f}",
            each.timed or "-",
        ]
        for each in comparison.timings
    ]


def write_evaluation_report(
    comparison: Comparison, hardware: Mapping[str, Any], folder: Path
) -> list[Path]:
    """Write `evaluation.json` and `evaluation.md` into a folder; their paths."""
    timings = [each.model_dump(mode="json") | {"ratio": each.ratio} for each in comparison.timings]
    text = PAGE.format(
        table=markdown_table(HEADERS, rows_of(comparison)),
        num_images=NUM_IMAGES,
        num_patients=NUM_PATIENTS,
        num_findings=len(NUM_POSITIVES),
        tolerance=TOLERANCE,
        num_repeats=NUM_REPEATS,
        num_timed=NUM_TIMED,
        peak="-" if comparison.peak_mb is None else f"{comparison.peak_mb:.0f}",
    )
    return write_report(
        folder / "evaluation",
        figures={"timings": timings, "peak_mb": comparison.peak_mb},
        text=text,
        hardware=hardware,
        tools=TOOLS,
    )
