"""A `Results` with everything in it, drawn at random: for tests of what only shows results."""

import numpy as np

from harness.benchmark.estimates import (
    GRID,
    MACRO,
    Calibration,
    Curves,
    Difference,
    Estimate,
    Localisation,
    ReliabilityCurve,
    Subgroup,
    ThresholdFigure,
)
from harness.benchmark.results import Caption, Cost, Problem, PublishedRow, Results, Row, RunFacts
from harness.core.findings import FINDINGS
from harness.core.recipe import Recipe
from harness.core.records import METRICS
from harness.explain.measures import MEASURES
from harness.search.history import SearchHistory, TrialHistory

EMPTY = "Hernia"
"""No test image has it, so it has no figure."""
SCORED = [finding for finding in FINDINGS if finding != EMPTY]


def sample_results(seed: int = 0) -> Results:
    """Three final rows (one of them partial), an ensemble, a foreign row, two published rows."""
    lot = np.random.default_rng(seed)
    rows = [
        _row(lot, "alpha (tuned)", is_winner=True, search="alpha"),
        _row(lot, "alpha (published)", is_default=True, search="alpha"),
        _row(lot, "beta (default = tuned)", num_scored=2, is_winner=True, is_default=True,
             search="beta"),
        _row(lot, "ensemble of all seeds", kind="ensemble", num_seeds=1, num_scored=1,
             members=("alpha (tuned)", "beta (default = tuned)")),
        _row(lot, "their-model", kind="foreign", num_seeds=1, num_scored=1,
             stamps=("no validation predictions: no thresholds but the oracle",)),
    ]  # fmt: skip
    best = max(rows, key=lambda row: row.figure("auroc").value)
    rows = [row if row is best else _compared(lot, row, best.label) for row in rows]
    return Results(
        name="duel",
        title="A duel | of <models> & 100 %",
        caption=Caption(
            store_source="phantom", is_synthetic=True, label_version="phantom-1",
            labels_sha256="cd" * 32, split="official", split_sha256="ab" * 32, num_images=600,
            num_patients=200, num_val_patients=60, threshold_rule="f1", seeds=(11, 12, 13),
            commits=("c0ffee123456",), versions={"torch": "2.15.0", "ray": "2.60.0"},
            made_by="c0ffee123456", num_looks=14,
        ),
        num_resamples=2000,
        num_positives={
            name: 0 if name == EMPTY else int(lot.integers(5, 200)) for name in FINDINGS
        },
        rows=tuple(rows),
        published=(
            _published(lot, "dannynet", ("split differs", "thresholds tuned on test")),
            _published(lot, "wang2017", ("unverified split",)),
        ),
        reproduce="dannynet",
        searches={"alpha": _search(lot, "alpha"), "beta": _search(lot, "beta")},
        problems=(
            Problem(where=EMPTY, reason="no image of the test part has it"),
            Problem(where="beta-s2-abc123", reason="failed: out_of_memory"),
        ),
    )  # fmt: skip


def _estimate(lot: np.random.Generator, num_seeds: int, *, width: float = 0.0) -> Estimate:
    value, half = lot.uniform(0.5, 0.9), width or lot.uniform(0.005, 0.14)
    return Estimate(value=value, low=value - half, high=value + half, se=half / 2,
                    seeds=tuple(value + lot.normal(0, 0.01, num_seeds)))  # fmt: skip


def _row(lot, label, *, kind="final", num_seeds=3, num_scored=3, stamps=(), **about) -> Row:
    metrics = (*METRICS, "f1_oracle")
    has_thresholds = kind != "foreign"
    if not has_thresholds:
        metrics = ("auroc", "auprc", "brier", "ece", "f1_oracle")
    return Row(
        label=label, kind=kind, num_seeds=num_seeds, num_scored=num_scored, stamps=stamps,
        network="densenet121.tv_in1k" if kind == "final" else "",
        recipe=Recipe() if kind == "final" else None,
        changes={"optim.lr": (5e-5, 1.2e-4), "loss.gamma": (2.0, 1.3)} if "tuned)" in label else {},
        trial="t0007-3fa2c1" if about.get("is_winner") else None,
        search_score=0.83 if about.get("is_winner") else None,
        num_parameters_m=6.97 if kind == "final" else None,
        val_auroc=tuple(lot.uniform(0.7, 0.8, num_scored)) if kind == "final" else (),
        figures={
            scope: {metric: _estimate(lot, num_scored) for metric in metrics}
            for scope in (MACRO, *SCORED)
        },
        thresholds={
            finding: ThresholdFigure(seeds=tuple(lot.uniform(0.1, 0.5, num_scored)), low=0.08,
                                     high=0.55, num_positives=17, oracle=0.3)
            for finding in SCORED
        } if has_thresholds else {},
        calibration=_calibration(lot, num_scored),
        curves={scope: _curves(lot) for scope in (MACRO, *SCORED)},
        subgroups=tuple(
            _subgroup(lot, attribute, group, num_scored)
            for attribute, group in (("sex", "F"), ("sex", "M"), ("age", "0-19"), ("age", "40-59"),
                                     ("view", "PA"), ("view", "AP"))
        ),
        localisation=_localisation(num_scored) if kind == "final" else None,
        runs=tuple(
            RunFacts(name=f"{label}-s{k}", seed=11 + k, run_id=f"{k}" * 64,
                     outcome="completed" if k < num_scored else "failed: out_of_memory",
                     num_epochs=8, best_epoch=6, duration_s=123.4, device="cpu",
                     val_auroc=tuple(0.5 + 0.3 * (1 - np.exp(-np.arange(1, 9) / 3))
                                     + lot.normal(0, 0.01, 8)),
                     thresholds_sha256="ef" * 32)
            for k in range(num_seeds)
        ) if kind == "final" else (),
        cost=Cost(num_trials=60, search_hours=31.5, final_hours=4.25, images_per_s=914.0,
                  device="NVIDIA H100") if kind == "final" else Cost(),
        **about,
    )  # fmt: skip


def _localisation(num_seeds) -> Localisation:
    """Of numbers of its own: it draws none from the lot of the others."""
    lot = np.random.default_rng(7)
    scopes = (MACRO, "Effusion", "Mass")
    return Localisation(
        layer="features.norm5", grid=(7, 7), level=0.7, tolerance_px=0, frame_px=1024,
        num_sights={"Effusion": 153, "Mass": 85}, num_patients=190,
        figures={scope: {name: _estimate(lot, num_seeds) for name in MEASURES} for scope in scopes},
        gains={scope: {name: _estimate(lot, num_seeds) for name in ("chance", "centre")}
               for scope in scopes},
    )  # fmt: skip


def _calibration(lot, num_seeds) -> Calibration:
    mean = np.linspace(0.02, 0.9, 10)
    curve = ReliabilityCurve(
        mean_score=tuple(mean),
        positive_rate=tuple(mean**1.4),
        num_scores=tuple(int(n) for n in np.geomspace(5000, 20, 10)),
    )
    return Calibration(
        temperature=tuple(lot.uniform(0.8, 1.4, num_seeds)),
        before={name: _estimate(lot, num_seeds) for name in ("ece", "brier")},
        after={name: _estimate(lot, num_seeds) for name in ("ece", "brier")},
        curve_before=curve,
        curve_after=curve.model_copy(update={"positive_rate": tuple(mean**1.05)}),
    )


def _curves(lot) -> Curves:
    grid, power = np.array(GRID), lot.uniform(0.2, 0.5)
    return Curves(sensitivity=tuple(grid**power), precision=tuple(1 - 0.8 * grid**power))


def _subgroup(lot, attribute, group, num_seeds) -> Subgroup:
    metrics = ("auroc", "sensitivity", "specificity")

    def figures() -> dict:
        return {s: {m: _estimate(lot, num_seeds) for m in metrics} for s in (MACRO, *SCORED)}

    gaps = {
        scope: {
            m: Estimate(value=v, low=v - 0.03, high=v + 0.03, se=0.015, seeds=(v,) * num_seeds)
            for m, v in zip(metrics, lot.normal(0, 0.04, 3), strict=True)
        }
        for scope in (MACRO, *SCORED)
    }
    return Subgroup(
        attribute=attribute,
        group=group,
        num_images=300,
        num_patients=100,
        num_positives=dict.fromkeys(SCORED, 20),
        figures=figures(),
        gaps=gaps,
    )


def _compared(lot, row: Row, best: str) -> Row:
    differences = {
        scope: {
            metric: Difference(to=best, value=(v := float(lot.normal(-0.03, 0.03))), low=v - 0.03,
                               high=v + 0.03, p=(p := float(lot.uniform(0, 0.2))),
                               p_holm=min(1.0, 4 * p),
                               p_delong=0.04 if metric == "auroc" and scope != MACRO else None,
                               seed_se=0.004)
            for metric in figures
        }
        for scope, figures in row.figures.items()
    }  # fmt: skip
    return row.model_copy(update={"differences": differences})


def _published(lot, key, flags) -> PublishedRow:
    figures = {
        scope: {"auroc": round(float(lot.uniform(0.7, 0.95)), 4), "f1": 0.386}
        for scope in (MACRO, *FINDINGS)
    }
    return PublishedRow(
        key=key,
        label=f"{key} (published)",
        split="random patient 98/2",
        source="https://example.org/paper",
        flags=flags,
        figures=figures,
    )


def _search(lot, name) -> SearchHistory:
    outcomes = ["completed"] * 8 + ["pruned"] * 3 + ["failed"]
    trials = []
    for number, outcome in enumerate(outcomes):
        num_epochs = {"completed": 10, "pruned": 4, "failed": 1}[outcome]
        curve = 0.5 + 0.3 * (1 - np.exp(-np.arange(1, num_epochs + 1) / 3)) * lot.uniform(0.5, 1)
        trials.append(
            TrialHistory(name=f"t{number:04}-3fa2c1", outcome=outcome,
                         values={"optim.lr": float(10 ** lot.uniform(-6, -3)),
                                 "loss.gamma": float(lot.uniform(0, 5)),
                                 "optim.name": str(lot.choice(["adam", "adamw"]))},
                         val_auroc=tuple(curve), score=float(max(curve)))
        )  # fmt: skip
    return SearchHistory(
        name=name,
        space=name,
        num_trials=len(trials),
        trials=tuple(trials),
        log_scaled=("optim.lr",),
        hours=31.5,
        device="NVIDIA H100",
        importance={"optim.lr": 0.7, "loss.gamma": 0.2, "optim.name": 0.1},
    )
