"""What a comparison says of itself beside its figures: caption, rows, runs, cost, gaps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.benchmark.comparison import Comparison
from harness.benchmark.entries import Entry, Scored
from harness.benchmark.localisation import explained
from harness.benchmark.results import Caption, Cost, Problem, RunFacts
from harness.core.looks import LOOKS_FILE, count_looks, read_looks
from harness.core.provenance import git_state
from harness.core.records import Provenance, RunRecord
from harness.core.run import Run
from harness.core.selection import SCORE

# Caption ----------------------------------------------------------------------------------------


def caption_of(comparison: Comparison, entries: Sequence[Entry], folder: Path) -> Caption:
    """What a reader must know; the facts of the test part are None until one row is scored."""
    images = comparison.images
    scored = [each for entry in entries for each in entry.scored]
    provenances = [each.record.provenance for each in scored if each.record]
    test = scored[0].test if scored else None
    rules = dict.fromkeys(each.rule for each in scored if each.thresholds)
    seeds = dict.fromkeys(run.recipe.seed for entry in entries for run in entry.runs)
    return Caption(
        store_source=images.store_source,
        is_synthetic=images.is_synthetic,
        label_version=images.label_version,
        labels_sha256=images.labels_sha256,
        split=images.split,
        split_sha256=images.split_sha256,
        num_images=len(test.image_ids) if test else None,
        num_patients=len(np.unique(test.patient_ids)) if test and images.has_patients else None,
        num_val_patients=images.num_val_patients,
        threshold_rule=", ".join(rules) or None,
        seeds=tuple(seeds),
        commits=tuple(dict.fromkeys(_commit(each) for each in provenances)),
        versions=provenances[0].versions if provenances else {},
        num_unknown_labels=images.num_unknown_labels,
        made_by=commit_name(*git_state()),
        num_looks=_num_looks(folder, images.split_sha256),
    )


def _num_looks(folder: Path, split_sha256: str | None) -> int | None:
    """Looks at the test part, by the audit file of the folder, or of the results that it is in."""
    for place in (folder, folder.parent):
        if split_sha256 and (place / LOOKS_FILE).exists():
            return count_looks(place, split_sha256)
    return None


def _commit(provenance: Provenance) -> str:
    return commit_name(provenance.git_commit, provenance.git_dirty)


def commit_name(commit: str, is_dirty: bool | None) -> str:
    """`c0ffee123456`, or `c0ffee123456-dirty`, or `unknown`."""
    name = commit[:12] or "unknown"
    return f"{name}-dirty" if is_dirty else name


# Rows -------------------------------------------------------------------------------------------


def row_facts(entry: Entry, comparison: Comparison) -> dict[str, Any]:
    """The fields of a `Row` that are no figures of the test part."""
    facts: dict[str, Any] = {
        "label": entry.label,
        "kind": entry.kind,
        "num_seeds": entry.num_seeds,
        "num_scored": len(entry.scored),
        "members": entry.members,
        "stamps": (*comparison.stamps.get(entry.label, ()), *_stamps(entry)),
    }
    contestant = entry.contestant
    if contestant is None:
        return facts
    origin, records = contestant.origin, [each.record for each in entry.scored if each.record]
    return facts | {
        "network": contestant.network,
        "recipe": contestant.recipe,
        "is_default": contestant.is_default,
        "is_winner": contestant.is_winner,
        "changes": contestant.changes,
        "search": origin.search if origin else None,
        "trial": origin.trial if origin else None,
        "search_score": origin.score if origin else None,
        "num_parameters_m": _num_parameters_m(records),
        "val_auroc": tuple(record.metrics[SCORE] for record in records if SCORE in record.metrics),
        "runs": tuple(_run_facts(run, entry.reasons or {}) for run in entry.runs),
        "cost": _cost(entry, comparison),
    }


def _stamps(entry: Entry) -> tuple[str, ...]:
    if entry.kind == "foreign" and entry.scored[0].val is None:
        return ("no validation predictions: no threshold but the oracle, which is tuned on test",)
    return ()


def _num_parameters_m(records: Sequence[RunRecord]) -> float | None:
    counts = [record.provenance.num_parameters for record in records]
    return next((count / 1e6 for count in counts if count is not None), None)


def _run_facts(run: Run, reasons: Mapping[str, str]) -> RunFacts:
    about = {"name": run.name, "seed": run.recipe.seed, "run_id": run.recipe.run_id}
    directory = run.directory
    if run.name in reasons or (record := directory.record) is None:
        return RunFacts(**about, outcome=reasons.get(run.name, "not run yet"))
    looks = read_looks(directory.path)
    return RunFacts(
        **about,
        outcome=str(directory.status),
        num_epochs=record.num_epochs,
        best_epoch=record.best_epoch,
        duration_s=record.duration_s,
        device=record.provenance.device,
        val_auroc=tuple(epoch.metrics["val/auroc_macro"] for epoch in directory.epochs),
        thresholds_sha256=looks[-1].thresholds_sha256 if looks else "",
    )


def _cost(entry: Entry, comparison: Comparison) -> Cost:
    records = [each.record for each in entry.scored if each.record]
    seconds = sum(record.duration_s for record in records)
    num_epochs = sum(record.num_epochs for record in records)
    num_train = comparison.images.num_train
    origin = entry.contestant.origin if entry.contestant else None
    history = comparison.searches.get(origin.search) if origin else None
    return Cost(
        num_trials=origin.num_planned if origin else None,
        search_hours=history.hours if history else None,
        final_hours=seconds / 3600 if records else None,
        images_per_s=num_train * num_epochs / seconds if num_train and seconds else None,
        device=records[0].provenance.device if records else "",
    )


# Gaps and doubts --------------------------------------------------------------------------------


def gaps_and_doubts(comparison: Comparison, entries: Sequence[Entry]) -> tuple[Problem, ...]:
    """The reasons of all gaps, and what makes rows incomparable."""
    gaps = [
        Problem(where=name, reason=reason)
        for entry in entries
        for name, reason in (entry.reasons or {}).items()
    ]
    scored = [each for entry in entries for each in entry.scored]
    return (
        *gaps,
        *_findings_without_figures(scored),
        *_rows_without_maps(comparison, entries),
        *_disagreements(scored),
        *_other_stores(comparison),
    )


def _findings_without_figures(scored: Sequence[Scored]) -> list[Problem]:
    """Findings that have no figure because of the data, not because of a run."""
    if not scored:
        return []
    test, thresholds = scored[0].test, scored[0].thresholds
    reasons, counts = {}, zip(test.num_positives_L, test.num_known_L, strict=True)
    for name, (num_positives, num_known) in zip(test.findings, counts, strict=True):
        whose = "" if num_known == len(test.image_ids) else " whose label is known"
        if num_known == 0:
            reasons[name] = "no label of the test part is known; left out of every macro mean"
        elif num_positives == 0:
            reasons[name] = f"no image of the test part{whose} has it; left out of every macro mean"
        elif num_positives == num_known:
            reasons[name] = (
                f"every image of the test part{whose} has it; left out of every macro mean"
            )
        elif thresholds is not None and thresholds.get(name) is None:
            reasons[name] = "validation gave no threshold: no F1, sensitivity, specificity or MCC"
    return [Problem(where=name, reason=reason) for name, reason in reasons.items()]


def _rows_without_maps(comparison: Comparison, entries: Sequence[Entry]) -> list[Problem]:
    """Trained rows of which no map was held against the boxes, where other rows have them."""
    trained = [entry for entry in entries if entry.kind == "final" and entry.scored]
    without = [entry for entry in trained if not explained(entry, comparison.statistics)]
    if len(without) == len(trained):
        return []
    reason = "where it looks is not known: a run has no maps of these boxes"
    return [Problem(where=entry.label, reason=reason) for entry in without]


def _disagreements(scored: Sequence[Scored]) -> list[Problem]:
    """Facts that all runs of a comparison must share, and these do not."""
    provenances = [each.record.provenance for each in scored if each.record]
    shared: dict[str, set[object]] = {
        "split": {each.split_sha256 for each in provenances},
        "labels": {each.labels_sha256 for each in provenances},
        "threshold rule": {each.rule for each in scored if each.thresholds},
    }
    return [
        Problem(where=fact, reason=f"not comparable: the runs have {len(values)} different ones")
        for fact, values in shared.items()
        if len(values) > 1
    ]


def _other_stores(comparison: Comparison) -> list[Problem]:
    """Winners that were chosen on another store, whose validation may hold this one's test."""
    return [
        Problem(
            where=row.label,
            reason=f"its search chose on another image store ({row.origin.store[:8]}), "
            "which may hold patients of this test part",
        )
        for row in comparison.contestants
        if row.is_winner and row.origin and row.origin.store != comparison.images.fingerprint
    ]
