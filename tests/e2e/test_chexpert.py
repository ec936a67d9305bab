"""CheXpert with uncertain labels in every part, from its tables to thresholds, test and figures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as sk
from torch import from_numpy
from torch.nn.functional import binary_cross_entropy

from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.core.records import Evaluation
from harness.core.run_dir import RunDirectory
from harness.data.chexpert import FINDINGS
from harness.data.readers import prepare
from harness.evaluation.curves import pr_figure, roc_figure
from harness.evaluation.figures import save_figure
from harness.scoring import score_test
from harness.trial import run_trial

NUM_IMAGES = {"train": 24, "valid": 30, "test": 30}
CELLS = ("1.0", "0.0", "-1.0", "")
PX = 16
NEVER_KNOWN = "Fracture"


def make_chexpert(root: Path) -> None:
    """Noise; of four labels one is uncertain, and of `NEVER_KNOWN` all are."""
    rng = np.random.default_rng(0)
    header = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FINDINGS]
    number = 0
    for part, num_images in NUM_IMAGES.items():
        lines = [",".join(header)]
        for _ in range(num_images):
            number += 1
            image = f"{part}/patient{number:05}/study1/view1_frontal.jpg"
            (root / image).parent.mkdir(parents=True)
            Image.fromarray(rng.integers(0, 255, (PX, PX), np.uint8)).save(root / image)
            cells = ["-1.0" if n == NEVER_KNOWN else rng.choice(CELLS) for n in FINDINGS]
            about = [f"CheXpert-v1.0-small/{image}", "Female", "50", "Frontal", "PA"]
            lines.append(",".join([*about, *cells]))
        (root / f"{part}.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, Evaluation]:
    root = tmp_path_factory.mktemp("chexpert")
    make_chexpert(root / "release")
    store = prepare("chexpert", root / "release", root / "store", size_px=PX, num_workers=1)
    recipe = Recipe().with_values({
        "data.store": store.fingerprint, "data.split": "as_given", "data.resize_px": 32,
        "data.input_px": 32, "model.name": "densenet_mini", "model.weights": "none",
        "loss.name": "bce", "loss.reduction": "sum", "train.batch_size": 8, "train.epochs": 1,
    })  # fmt: skip
    machine = Machine(store=store.path, device="cpu")
    run_trial(recipe, machine, root / "run")
    return RunDirectory(root / "run"), score_test(machine, root / "run")


def test_every_figure_is_over_the_labels_that_are_known(scored) -> None:
    run, test = scored
    for part, evaluation in (("val", run.record.val), ("test", test)):
        predictions = run.predictions(part)
        assert (evaluation.num_images, evaluation.left_out) == (30, (NEVER_KNOWN,))
        assert 0.15 < 1 - predictions.is_known_NL.mean() < 0.45
        for column, name in enumerate(predictions.findings):
            is_known_N = predictions.is_known_NL[:, column]
            figures = evaluation.findings[name]
            assert figures.num_images == is_known_N.sum()
            if name == NEVER_KNOWN:
                assert (figures.num_images, figures.auroc, figures.threshold) == (0, None, None)
                continue
            label_N = predictions.label_NL[is_known_N, column]
            score_N = predictions.score_NL[is_known_N, column].astype(np.float64)
            assert figures.threshold == run.thresholds[name]
            assert figures.auroc == pytest.approx(sk.roc_auc_score(label_N, score_N))
            assert figures.f1 == pytest.approx(sk.f1_score(label_N, score_N >= figures.threshold))
            assert figures.brier == pytest.approx(sk.brier_score_loss(label_N, score_N))


def test_the_metrics_of_an_epoch_are_too(scored) -> None:
    run, _ = scored
    predictions, metrics = run.predictions("val"), run.epochs[0].metrics
    is_known_NL = predictions.is_known_NL
    score, label = (
        from_numpy(each[is_known_NL].astype(np.float64))
        for each in (predictions.score_NL, predictions.label_NL)
    )
    entropy = float(binary_cross_entropy(score, label))
    assert metrics["val/bce"] == pytest.approx(entropy, rel=1e-5)
    assert metrics["val/loss"] == pytest.approx(len(FINDINGS) * entropy, rel=1e-5)
    assert metrics["val/auroc_macro"] == run.record.val.macro["auroc"]


def test_its_curves_can_be_drawn(scored, tmp_path: Path) -> None:
    run, test = scored
    for draw in (roc_figure, pr_figure):
        figure = draw(run.predictions("test"), "CheXpert, made up", run.thresholds)
        said = [text.get_text() for axes in figure.axes for text in axes.texts]
        assert said.count("no known labels") == 1
        assert f"AUROC {test.findings['Edema'].auroc:.3f}" in said or draw is pr_figure
    save_figure(figure, tmp_path / "pr.png")
    assert (tmp_path / "pr.png").stat().st_size > 10_000
