"""What the figures of a test set and their intervals cost, and scikit-learn on the same work.

The test set is simulated: as many images, patients and positives as the official test part of NIH
ChestX-ray14 has, with labels and scores that resemble one another within a patient. What is
compared is checked to be equal before anything is timed.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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
from harness.evaluation.resampling import Resamples
from harness.speed.instruments import best_s, peak_mb
from harness.speed.report import Row, Speed

NUM_PATIENTS = 2_797
NUM_IMAGES = 25_596
NUM_POSITIVES = (3279, 1069, 1815, 925, 4658, 1093, 435, 86, 6112, 1748, 1623, 1143, 555, 2665)
"""Positive images of each finding in the official test part, in the order of `FINDINGS`."""

NUM_RESAMPLES = 1000
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


def measure_evaluation(tell: Callable[[str], None]) -> Speed:
    """Time each job in both hands, after checking that both give the same figures.

    Args:
        tell: Called with a line about what begins.
    """
    test = simulate()
    tell("the harness alone")
    alone = harness_alone(test)
    peak = peak_mb()
    rows = []
    for compared in (auroc_of_resamples, f1_of_resamples, best_thresholds):
        tell(f"{compared.__name__.replace('_', ' ')}, and scikit-learn's")
        rows.append(compared(test))
    notes = NOTES.format(
        num_images=NUM_IMAGES,
        num_patients=NUM_PATIENTS,
        num_findings=len(NUM_POSITIVES),
        num_resamples=NUM_RESAMPLES,
        num_grid=len(GRID),
        tolerance=TOLERANCE,
        num_repeats=NUM_REPEATS,
        num_timed=NUM_TIMED,
        peak="-" if peak is None else f"{peak:.0f}",
    )
    return Speed(
        title="What the figures of a test set cost",
        rows=(*rows, *alone),
        notes=notes,
        tools=TOOLS,
        figures={"peak_mb": peak},
    )


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
    resamples = Resamples.draw(patient_N, num=NUM_RESAMPLES, seed=seed)
    return Part(score_NL.astype(np.float32), label_NL, patient_N, resamples)


def harness_alone(test: Part) -> list[Row]:
    """What a comparison needs beside, and what scikit-learn has no one call for."""

    def draw() -> Resamples:
        return Resamples.draw(test.patient_N, num=NUM_RESAMPLES, seed=0)

    def every_metric() -> object:
        return resampled_metrics(
            test.score_NL, test.label_NL, threshold_L=THRESHOLD, resamples=test.resamples
        )

    work = {"drawing": draw, "all metrics of": every_metric}
    return [
        Row(
            what=f"{what} {NUM_RESAMPLES:,} resamples",
            unit="s",
            ours=best_s(each, repeats=NUM_REPEATS),
        )
        for what, each in work.items()
    ]


def auroc_of_resamples(test: Part) -> Row:
    """AUROC of all resamples; average precision and the best F1 come with ours, unasked."""
    from sklearn.metrics import roc_auc_score

    def ours() -> FloatArray:
        return ranking_metrics(test.score_NL, test.label_NL, test.resamples)["auroc"]

    return _resampled("AUROC", ours, partial(_by_scikit_learn, roc_auc_score, test, test.score_NL))


def f1_of_resamples(test: Part) -> Row:
    """F1 at a frozen threshold of all resamples; the other counts come with ours, unasked."""
    from sklearn.metrics import f1_score

    def ours() -> FloatArray:
        counts = confusion(test.score_NL, test.label_NL, THRESHOLD, count=test.resamples.totals)
        return counts.f1

    called_NL = call_positive(test.score_NL, THRESHOLD)
    return _resampled("F1", ours, partial(_by_scikit_learn, f1_score, test, called_NL))


def best_thresholds(test: Part) -> Row:
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
    return Row(
        what="best F1 threshold, AUROC and average precision",
        unit="s",
        ours=best_s(ours, repeats=NUM_REPEATS),
        peer=best_s(theirs, repeats=1),
        peer_name=f"scikit-learn, {len(GRID)} thresholds",
        goal=600,
        limit=THRESHOLDS_LIMIT,
    )


def _resampled(
    what: str, ours: Callable[[], FloatArray], theirs: Callable[[bool], FloatArray]
) -> Row:
    """A metric of all resamples by us, and of a few by the quicker of scikit-learn's two ways."""
    sklearn_s = {}
    for has_weights, way in ((True, "sample_weight"), (False, "repeated images")):
        np.testing.assert_allclose(ours()[:NUM_TIMED], theirs(has_weights), rtol=TOLERANCE)
        few_s = best_s(partial(theirs, has_weights), repeats=NUM_REPEATS)
        sklearn_s[way] = few_s * NUM_RESAMPLES / NUM_TIMED
    way = min(sklearn_s, key=sklearn_s.__getitem__)
    return Row(
        what=f"{what} of {NUM_RESAMPLES:,} resamples",
        unit="s",
        ours=best_s(ours, repeats=NUM_REPEATS),
        peer=sklearn_s[way],
        peer_name=f"scikit-learn, {way}",
        goal=500,
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

TOOLS = ("numpy", "numba", "scikit-learn")
THRESHOLDS_LIMIT = (
    "sorting the images once for each finding, and counting, takes two thirds of ours"
)

NOTES = """\
The test set is simulated: {num_images:,} images of {num_patients:,} patients, and as many positives
of the {num_findings} findings as the official test part of NIH ChestX-ray14 has; it is the same
labels, scores and resamples on both sides. Resamples draw patients, and each figure is of all
findings. With AUROC, the harness finds average precision and the best F1, and with F1 all counts at
the threshold; scikit-learn is asked for nothing more. Ours tries every threshold that there is,
scikit-learn's loop a grid of {num_grid}. Both were found equal before anything was timed, to
{tolerance:g} of a figure, and no F1 of the grid above the best. Times are the best of
{num_repeats}; scikit-learn's for {num_resamples:,} resamples are scaled from {num_timed}, by the
quicker of its two ways (weights, or images repeated). Compiling, once on a machine, is not
counted. The most memory that the process held before scikit-learn was imported is {peak} MB.
"""
