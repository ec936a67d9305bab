from harness.benchmark.forms.methods import as_methods
from harness.benchmark.forms.wording import listed
from harness.benchmark.results import Results
from harness.core.recipe import Recipe
from tests.benchmark.forms.conftest import SHAPES, changed, partly_unknown


def test_the_figures_are_filled_in(results: Results) -> None:
    text = as_methods(results)
    for fact in (
        "All images are synthetic",
        "official split (SHA-256 abababababab); the test part holds 600 images of 200 patients, "
        "the validation part 60 patients. The parts are disjoint at the level of patients.",
        "The search alpha was given 12 trials (8 completed, 3 pruned, 1 failed) over optim.lr (log "
        "scale), loss.gamma and optim.name and took 31.50 device-hours on NVIDIA H100.",
        "trained with 3 seeds (11, 12 and 13); 8 of 9 runs have been scored on test.",
        "by the rule f1 (the highest F1), frozen, and applied to test",
        "2,000 bootstrap resamples of test patients",
        "Holm's method",
        "left out: Hernia.",
        "scored 14 times",
        "Software: ray 2.60.0 and torch 2.15.0.",
        "commit c0ffee123456",
        "the final runs took 12.75 device-hours",
    ):
        assert fact in text, fact


def test_labels_that_are_not_known_are_told_in_a_sentence(results: Results) -> None:
    text = as_methods(partly_unknown())
    assert (
        "There are labels of 14 findings. Labels that are not known (1,234 in training, 5 in "
        "validation and 70 in test) were passed over: they add nothing to a loss, and each figure "
        "of a finding is over the images whose label of it is known." in text
    )
    assert "Each image has a label for each of 14 findings." in as_methods(results)
    assert "not known (" not in as_methods(results)


def test_a_rule_that_is_not_ours_is_named_alone(results: Results) -> None:
    other = changed(results, caption=changed(results.caption, threshold_rule="theirs"))
    assert "by the rule theirs, frozen" in as_methods(other)


def test_a_recipe_is_told_in_full_once_and_then_by_what_differs(results: Results) -> None:
    other = Recipe().with_values({"optim.lr": 1.2e-4, "loss.gamma": 1.3, "seed": 5})
    first, second, *rest = results.rows
    rows = (first, changed(second, recipe=other), *rest)
    text = as_methods(changed(results, rows=rows)).partition("## The same")[0]
    assert text.count("adamw with a learning rate of 5e-05 and a weight decay of 1e-05") == 1
    assert (
        "alpha (published): as alpha (tuned), but with loss.gamma 1.3 and optim.lr 0.00012." in text
    )
    assert "beta (default = tuned): the same recipe as alpha (tuned)." in text


def test_rows_are_named_where_another_figure_chose_their_epoch(results: Results) -> None:
    assert "validation macro AUROC were kept." in as_methods(results)
    assert "the weights of the epoch" not in as_methods(results)  # "The", of all rows
    other = Recipe().with_values({"train.keep": "val/loss"})
    first, *rest = results.rows
    others = [row.label for row in rest if row.kind == "final" and row.recipe]
    text = as_methods(changed(results, rows=(changed(first, recipe=other), *rest)))
    assert (
        f"Of {first.label} the weights of the epoch with the best validation loss were kept. "
        f"Of {listed(others)} the weights of the epoch with the best validation macro AUROC were "
        "kept." in text.partition("## The same")[0]
    )


def test_every_kind_of_recipe_can_be_told(results: Results) -> None:
    recipe = Recipe().with_values({
        "loss.name": "bce", "loss.reduction": "sum", "optim.name": "adam", "model.drop_path": 0.2,
        "optim.layer_decay": 0.55, "schedule.name": "cosine", "schedule.warmup_epochs": 5.0,
        "augment.crop": False, "augment.flip": 0.0, "augment.jitter": 0.0,
        "train.keep": "val/loss",
    })  # fmt: skip
    text = as_methods(changed(results, rows=(changed(results.rows[0], recipe=recipe),)))
    for words in ("binary cross-entropy (sum over findings)", "layer-wise decay 0.55",
                  "drop path 0.2", "cosine learning rate, 5 epochs of warm-up", "no augmentation",
                  "without a better validation loss"):  # fmt: skip
        assert words in text, words


def test_what_is_not_known_is_not_invented() -> None:
    text = as_methods(SHAPES["bare"]())
    for word in ("search", "trained", "threshold", "temperature", "Subgroups", "Holm", "None",
                 "disjoint"):  # fmt: skip
        assert word not in text, word
    assert "The versions of the software are not known." in text
    assert "How often this test part has been scored is not known" in text


def test_where_no_patients_are_known_none_are_counted() -> None:
    text = as_methods(SHAPES["without_patients"]())
    assert "the test part holds 600 images, whose patients are not known" in text
    assert "Whether a patient is in two parts cannot be told." in text
    assert "disjoint" not in text


def test_it_is_given_for_latex_too(results: Results) -> None:
    plain, _, latex = as_methods(results).partition("```latex\n")
    assert "densenet121.tv_in1k" in plain
    assert r"densenet121.tv\_in1k" in latex
    assert r"95 \% intervals" in latex
    assert latex.rstrip().endswith("```")
    assert "```" not in as_methods(SHAPES["hostile"]()).partition("```latex\n")[2].rstrip()[:-3]
