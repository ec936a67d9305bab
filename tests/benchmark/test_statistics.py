from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest

from harness.benchmark.comparison import write_foreign
from harness.benchmark.estimates import MACRO
from harness.benchmark.plan import BenchmarkPlan, StatisticsPlan
from harness.benchmark.results import Results
from harness.core.findings import FINDINGS
from harness.core.predictions import Predictions
from harness.core.records import METRICS, FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.evaluation.comparisons import delong
from harness.evaluation.evaluate import evaluate
from harness.evaluation.thresholds import tune_thresholds
from tests.benchmark.conftest import (
    PLAN,
    RULE,
    Lab,
    make_lab,
    make_predictions,
    score_all,
    scores_of,
)

TUNED, PUBLISHED, BETA = "alpha (tuned)", "alpha (published)", "beta (default = tuned)"


@pytest.fixture(scope="module")
def whole_lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, Results]:
    """The scored lab and its results, for tests that change nothing."""
    lab = score_all(make_lab(tmp_path_factory.mktemp("lab")), PLAN)
    return lab, lab.compare(PLAN)


@pytest.fixture
def results(whole_lab: tuple[Lab, Results]) -> Results:
    return whole_lab[1]


@pytest.fixture
def own_runs(whole_lab: tuple[Lab, Results]) -> list[RunDirectory]:
    """The final runs of the row TUNED."""
    runs = [run.directory for run in whole_lab[0].runs]
    return [run for run in runs if run.path.name.startswith("alpha-tuned")]


def reasons(results: Results) -> dict[str, str]:
    return {problem.where: problem.reason for problem in results.problems}


def test_figures_are_means_of_the_seeds_evaluations(
    results: Results, own_runs: list[RunDirectory]
) -> None:
    row = results.row(TUNED)
    for metric in METRICS:
        macro = row.figure(metric)
        assert macro is not None
        assert macro.seeds == pytest.approx([run.test_evaluation.macro[metric] for run in own_runs])
        assert macro.value == pytest.approx(fmean(macro.seeds))
        mass = row.figure(metric, "Mass")
        assert mass.seeds == pytest.approx(
            [getattr(run.test_evaluation.findings["Mass"], metric) for run in own_runs]
        )


def test_an_interval_holds_its_value_and_is_wider_for_one_finding(results: Results) -> None:
    for row in results.rows:
        macro = row.figure("auroc")
        assert macro.low < macro.value < macro.high
        assert macro.se > 0
        width = fmean(
            row.figure("auroc", name).high - row.figure("auroc", name).low
            for name in FINDINGS
            if name != "Hernia"
        )
        assert width > macro.high - macro.low


def test_every_interval_holds_its_figure_and_stays_in_its_span(results: Results) -> None:
    for row in results.rows:
        for found in row.figures.values():
            for metric, estimate in found.items():
                if estimate.low is not None:
                    least = -1 if metric == "mcc" else 0
                    assert least <= estimate.low <= estimate.value
                    assert estimate.value <= estimate.high <= 1


def test_the_oracle_is_never_below_the_frozen_threshold(results: Results) -> None:
    for row in results.rows:
        for scope in row.figures:
            assert row.figure("f1_oracle", scope).value >= row.figure("f1", scope).value


def test_differences_are_to_the_best_row_and_paired(results: Results) -> None:
    best = results.best("auroc")
    assert best.figure("auroc").value == max(row.figure("auroc").value for row in results.rows)
    assert best.label == TUNED or best.label == BETA
    for row in results.rows:
        difference = row.difference("auroc")
        if row is best:
            assert difference is None
            continue
        assert difference.to == best.label
        assert difference.value == pytest.approx(
            row.figure("auroc").value - best.figure("auroc").value
        )
        assert difference.low <= difference.value <= difference.high
        assert 0 < difference.p <= difference.p_holm <= 1


def test_lower_is_better_where_it_is(results: Results) -> None:
    best = results.best("brier")
    assert best.figure("brier").value == min(row.figure("brier").value for row in results.rows)


def test_delong_is_told_of_findings_only(results: Results) -> None:
    row = next(row for row in results.rows if row.difference("auroc", "Mass"))
    assert 0 <= row.difference("auroc", "Mass").p_delong <= 1
    assert row.difference("auprc", "Mass").p_delong is None
    assert all(row.difference("auroc").p_delong is None for row in results.rows[1:])


def test_equal_predictions_differ_by_exactly_nothing(lab: Lab) -> None:
    twins = {name: {"test": make_predictions(5), "val": make_predictions(6)} for name in "ab"}
    folder = lab.results / "twins"
    for name, parts in twins.items():
        write_foreign(folder, name, parts)
    plan = BenchmarkPlan(name="twins", searches=("alpha",))
    results = lab.compare(plan, contestants=(), foreign=dict.fromkeys("ab", "0" * 64))
    second = results.row("b")
    for scope in second.figures:
        for metric in second.figures[scope]:
            difference = second.difference(metric, scope)
            assert (difference.value, difference.low, difference.high) == (0, 0, 0)
            assert difference.p == difference.p_holm == 1
            assert difference.p_delong in (None, 1)


def test_a_row_tells_search_retraining_and_test_apart(results: Results) -> None:
    tuned, published, _ = results.rows
    assert (tuned.search_score, tuned.cost.num_trials) == (0.80, 3)
    assert tuned.val_auroc == pytest.approx((0.70, 0.73))
    assert tuned.num_parameters_m == pytest.approx(6.968206)
    assert (tuned.num_seeds, tuned.num_scored) == (2, 2)
    assert tuned.changes == {"optim.lr": (5e-5, 1e-4)}
    assert published.search_score == 0.70
    assert tuned.cost.final_hours == pytest.approx(2 / 3600)
    assert tuned.cost.images_per_s == pytest.approx(600 * 2)
    assert [run.outcome for run in tuned.runs] == ["completed", "completed"]


def test_thresholds_are_the_frozen_ones_with_intervals(
    results: Results, own_runs: list[RunDirectory]
) -> None:
    figure = results.row(TUNED).thresholds["Mass"]
    assert figure.seeds == tuple(run.thresholds["Mass"] for run in own_runs)
    assert figure.low < fmean(figure.seeds) < figure.high
    oracle = [tune_thresholds(run.predictions("test"), "f1")["Mass"] for run in own_runs]
    assert figure.oracle == pytest.approx(fmean(oracle))
    assert figure.num_positives == int(
        make_predictions(20).label_NL[:, FINDINGS.index("Mass")].sum()
    )


def test_temperature_never_makes_validation_worse_and_keeps_ranks(results: Results) -> None:
    for row in results.rows:
        calibration = row.calibration
        assert len(calibration.temperature) == row.num_scored
        assert sum(calibration.curve_before.num_scores) == 2 * 60 * 14
        assert set(calibration.before) == set(calibration.after) == {"ece", "brier"}


def test_curves_rise_and_fall_and_end_where_they_must(results: Results) -> None:
    for scope, curves in results.row(TUNED).curves.items():
        assert scope != "Hernia"
        assert curves.sensitivity[-1] == 1
        assert list(curves.sensitivity) == sorted(curves.sensitivity)
        assert list(curves.precision) == sorted(curves.precision, reverse=True)
    area = np.trapezoid(results.row(TUNED).curves[MACRO].sensitivity, dx=0.01)
    assert area == pytest.approx(results.row(TUNED).figure("auroc").value, abs=0.03)


def test_subgroups_and_their_gaps(results: Results) -> None:
    found = {(each.attribute, each.group): each for each in results.row(TUNED).subgroups}
    assert {("sex", "F"), ("sex", "M"), ("view", "PA"), ("view", "AP")} <= set(found)
    female, male = found["sex", "F"], found["sex", "M"]
    assert female.num_images + male.num_images == 60
    assert female.num_patients == male.num_patients == 10
    gap, mirrored = female.gaps[MACRO]["auroc"], male.gaps[MACRO]["auroc"]
    assert gap.value == pytest.approx(-mirrored.value)
    assert gap.low == pytest.approx(-mirrored.high)
    assert gap.value == pytest.approx(
        female.figures[MACRO]["auroc"].value - male.figures[MACRO]["auroc"].value
    )
    ages = [each for (attribute, _), each in found.items() if attribute == "age"]
    assert sum(each.num_images for each in ages) == 57  # the age of one patient is unknown


def test_the_caption_says_what_was_measured(results: Results) -> None:
    caption = results.caption
    assert caption.is_synthetic
    assert (caption.num_images, caption.num_patients, caption.num_val_patients) == (60, 20, 20)
    assert (caption.split, caption.split_sha256) == ("official", "ab" * 32)
    assert caption.threshold_rule == RULE
    assert len(caption.seeds) == 2
    assert caption.commits == ("c0ffeec0ffee",)


def test_a_finding_without_positives_is_the_only_gap(results: Results) -> None:
    assert not results.is_partial
    assert results.num_positives["Hernia"] == 0
    assert set(reasons(results)) == {"Hernia"}
    assert all("Hernia" not in row.figures for row in results.rows)


def test_before_any_run_everything_is_a_gap_with_a_reason(lab: Lab, plan: BenchmarkPlan) -> None:
    results = lab.compare(plan)
    assert results.is_partial
    assert reasons(results) == {run.name: "not run yet" for run in lab.plan_runs(plan)}
    for row in results.rows:
        assert row.figures == {}
        assert row.num_scored == 0


def test_a_failed_seed_leaves_the_others(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    run = scored_lab.runs[0]
    failed = Status(outcome=Outcome.FAILED, reason=FailureReason.DIVERGED, message="loss nan\nx")
    run.directory.set_status(failed)
    results = scored_lab.compare(plan)
    assert results.is_partial
    assert reasons(results)[run.name] == "failed: diverged (loss nan)"
    estimate = results.rows[0].figure("auroc")
    assert len(estimate.seeds) == 1
    assert estimate.sd is None
    assert (results.rows[0].num_scored, results.rows[1].num_scored) == (1, 2)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("test.json", None, "trained, but its test part has not been scored"),
        ("record.json", None, "completed, but record.json is missing"),
        ("status.json", None, "not run yet"),
        ("test.json", "{", "cannot be read"),
        ("record.json", "{}", "cannot be read"),
        ("predictions_test.npz", "rubbish", "cannot be read"),
    ],
)
def test_a_missing_or_broken_file_is_a_gap_and_never_an_error(
    scored_lab: Lab, plan: BenchmarkPlan, name: str, text: str | None, reason: str
) -> None:
    run = scored_lab.runs[0]
    path = run.directory.path / name
    path.unlink() if text is None else path.write_text(text)
    results = scored_lab.compare(plan)
    assert results.is_partial
    assert reasons(results)[run.name].startswith(reason)


def test_a_directory_of_another_recipe_does_not_count(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    run, other = scored_lab.runs[:2]
    (run.directory.path / "record.json").write_bytes(
        (other.directory.path / "record.json").read_bytes()
    )
    assert "another recipe" in reasons(scored_lab.compare(plan))[run.name]


def test_predictions_of_other_images_do_not_count(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    run = scored_lab.runs[0]
    scores_of(0, run.name).of(np.arange(59)).save(run.directory.predictions_file("test"))
    assert "other test images" in reasons(scored_lab.compare(plan))[run.name]


def test_runs_on_other_splits_are_called_incomparable(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    run = scored_lab.runs[0].directory
    provenance = run.record.provenance.model_copy(update={"split_sha256": "ef" * 32})
    run.write_record(run.record.model_copy(update={"provenance": provenance}))
    assert "not comparable" in reasons(scored_lab.compare(plan))["split"]


def test_a_winner_that_was_chosen_on_other_images_is_named(lab: Lab) -> None:
    lab.add_search("gamma", [(5e-5, 0.7)], store="6" * 64)
    results = lab.compare(BenchmarkPlan(name="p", searches=("gamma",)))
    assert "another image store (66666666)" in reasons(results)["gamma (published = tuned)"]


def test_ensembles_are_rows_of_their_own(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    results = scored_lab.compare(plan, statistics=StatisticsPlan(resamples=200, ensembles=True))
    ensembles = [row for row in results.rows if row.kind == "ensemble"]
    assert [row.label for row in ensembles] == [
        f"{TUNED}, seeds averaged", f"{PUBLISHED}, seeds averaged", f"{BETA}, seeds averaged",
        "all winners averaged",
    ]  # fmt: skip
    assert ensembles[-1].members == (TUNED, BETA)
    own = [run.directory for run in scored_lab.runs if run.name.startswith("alpha-tuned")]
    tests = [run.predictions("test").score_NL for run in own]
    vals = [run.predictions("val").score_NL for run in own]
    test, val = scores_of(0, "tuned"), make_predictions(20)
    object.__setattr__(test, "score_NL", np.mean(tests, axis=0))
    object.__setattr__(val, "score_NL", np.mean(vals, axis=0))
    expected = evaluate(test, thresholds=tune_thresholds(val, RULE), rule=RULE, part="test")
    assert ensembles[0].figure("auroc").value == pytest.approx(expected.macro["auroc"])
    assert ensembles[0].figure("f1").value == pytest.approx(expected.macro["f1"])


def test_predictions_without_validation_have_no_threshold_but_the_oracle(
    scored_lab: Lab, plan: BenchmarkPlan
) -> None:
    write_foreign(scored_lab.results / "duel", "theirs", {"test": make_predictions(50)})
    row = scored_lab.compare(plan, foreign={"theirs": "0" * 64}).row("theirs")
    assert row.figure("auroc") is not None
    assert row.figure("f1_oracle") is not None
    assert row.figure("f1") is None
    assert row.thresholds == {}
    assert "oracle" in row.stamps[0]


# Labels that are not known ------------------------------------------------------------------------


def masked_predictions(seed: int, rubbish: float | None = None) -> Predictions:
    """Nothing is known of Hernia, only the positives of Mass, all of Edema, most of the others.

    Where a label is not known, the score may be `rubbish`.
    """
    made = make_predictions(seed)
    is_known_NL = np.random.default_rng(1).random(made.label_NL.shape) < 0.8
    columns = {name: column for column, name in enumerate(FINDINGS)}
    is_known_NL[:, columns["Hernia"]], is_known_NL[:, columns["Edema"]] = False, True
    is_known_NL[:, columns["Mass"]] = made.label_NL[:, columns["Mass"]]
    score_NL = made.score_NL if rubbish is None else np.where(is_known_NL, made.score_NL, rubbish)
    return replace(
        made,
        score_NL=score_NL.astype(np.float32),
        label_NL=made.label_NL & is_known_NL,
        is_known_NL=is_known_NL,
    )


def compare_masked(lab: Lab, rubbish: float | None) -> Results:
    for seed, name in enumerate("ab"):
        parts = {
            "test": masked_predictions(5 + seed, rubbish),
            "val": masked_predictions(7 + seed, rubbish),
        }
        write_foreign(lab.results / "masked", name, parts)
    plan = BenchmarkPlan(name="masked", searches=("alpha",))
    return lab.compare(plan, contestants=(), foreign=dict.fromkeys("ab", "0" * 64))


@pytest.fixture(scope="module")
def masked_results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Results]:
    """The results of masked predictions, and again with rubbish for the scores passed over."""
    lab = make_lab(tmp_path_factory.mktemp("masked"))
    return compare_masked(lab, None), compare_masked(lab, 0.99)


def test_no_figure_of_a_comparison_sees_an_image_whose_label_is_not_known(
    masked_results: tuple[Results, Results],
) -> None:
    ours, with_rubbish = masked_results
    assert ours == with_rubbish
    assert ours.row("a").calibration is not None
    assert len(ours.row("a").subgroups) > 2


def test_figures_of_a_comparison_are_those_of_the_known_labels(
    masked_results: tuple[Results, Results],
) -> None:
    row, test, val = masked_results[0].row("a"), masked_predictions(5), masked_predictions(7)
    thresholds = tune_thresholds(val, RULE)
    expected = evaluate(test, thresholds=thresholds, rule=RULE, part="test")
    for metric in METRICS:
        assert row.figure(metric).value == pytest.approx(expected.macro[metric])
        assert row.figure(metric, "Edema").value == pytest.approx(
            getattr(expected.findings["Edema"], metric)
        )
    assert sum(row.calibration.curve_before.num_scores) == test.is_known_NL.sum()
    assert row.thresholds["Nodule"].seeds == (thresholds["Nodule"],)


def test_delong_is_of_the_images_whose_label_is_known(
    masked_results: tuple[Results, Results],
) -> None:
    results, column = masked_results[0], FINDINGS.index("Nodule")
    ours = next(row.difference("auroc", "Nodule") for row in results.rows
                if row.difference("auroc", "Nodule"))  # fmt: skip
    tests = [masked_predictions(seed) for seed in (5, 6)]
    rows_N = tests[0].is_known_NL[:, column]
    scores = [test.score_NL[rows_N, column] for test in tests]
    assert ours.p_delong == delong(*scores, tests[0].label_NL[rows_N, column]).p


def test_how_many_labels_are_not_known_is_told_where_some_are_not(
    masked_results: tuple[Results, Results], results: Results
) -> None:
    masked, test, val = masked_results[0], masked_predictions(5), masked_predictions(7)
    assert "Edema" not in masked.num_unknown
    assert masked.num_unknown["Hernia"] == 60
    assert sum(masked.num_unknown.values()) == (~test.is_known_NL).sum()
    thresholds = masked.row("a").thresholds
    assert sum(each.num_unknown for each in thresholds.values()) == (~val.is_known_NL).sum()
    groups = [each.num_unknown["Nodule"] for each in masked.row("a").subgroups[:2]]
    assert sum(groups) == masked.num_unknown["Nodule"]
    assert reasons(masked) == {
        "Hernia": "no label of the test part is known; left out of every macro mean",
        "Mass": "every image of the test part whose label is known has it; left out of every macro "
        "mean",
    }
    assert results.num_unknown == {}


def test_images_instead_of_patients_on_request(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    results = scored_lab.compare(plan, statistics=StatisticsPlan(resamples=200, unit="image"))
    assert results.unit == "image"


def test_the_same_folder_gives_the_same_figures(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    results = scored_lab.compare(plan)
    assert scored_lab.compare(plan) == results
    assert Results.model_validate_json(results.model_dump_json()) == results
