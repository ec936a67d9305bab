"""A methods section for a paper, with every figure that a `Results` knows and no other.

One function a topic, each a few sentences of plain text; what is not known is said to be unknown or
left out. The checklist of `claim` answers with the same sentences.
"""

from collections import Counter
from collections.abc import Iterable

from harness.benchmark.estimates import SIGNIFICANT_P
from harness.benchmark.forms import latex, markdown
from harness.benchmark.forms.localisation import about
from harness.benchmark.forms.recipes import as_another, in_full, kept_metric
from harness.benchmark.forms.report import looks
from harness.benchmark.forms.wording import PERCENT, listed, number, plain, plural, short_hash
from harness.benchmark.results import Results, Row
from harness.core.recipe import Recipe
from harness.evaluation.thresholds import aim_of
from harness.search.history import SearchHistory


def as_methods(results: Results) -> str:
    """The section as plain text, then once more escaped for LaTeX."""
    paragraphs = [
        " ".join(part for part in parts if part)
        for parts in (
            (data(results), split(results), disjoint(results)),
            (models(results), search(results), training(results), ensembles(results)),
            (thresholds(results), calibration(results), metrics(results)),
            (
                statistics(results),
                multiplicity(results),
                subgroups(results),
                where(results),
                looks(results),
            ),
            (software(results), hardware(results)),
        )
    ]
    text = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    return (
        f"# Methods of {markdown.escape(plain(results.title))}\n\n{markdown.escape(text)}\n\n"
        f"## The same for LaTeX\n\n```latex\n{latex.escape(text)}\n```\n"
    )


# Data -------------------------------------------------------------------------------------------


def data(results: Results) -> str:
    facts = results.caption
    first = (
        f"Images and labels came from {plain(facts.store_source)}, label version "
        f"{plain(facts.label_version)} (SHA-256 {short_hash(facts.labels_sha256)})."
    )
    synthetic = "All images are synthetic; the figures say nothing about X-rays."
    findings = results.findings
    about = f"Each image has a label for each of {plural(len(findings), 'finding')}."
    if findings and (said := unknown_labels(results)):
        about = f"There are labels of {plural(len(findings), 'finding')}. {said}"
    parts = (first, about if findings else "", synthetic if facts.is_synthetic else "")
    return " ".join(part for part in parts if part)


def unknown_labels(results: Results) -> str:
    """What was done about labels that are not known; empty where all are."""
    counts = results.caption.num_unknown_labels
    if not counts:
        return ""
    amounts = listed(f"{number:,} in {part}" for part, number in counts.items())
    return (
        f"Labels that are not known ({amounts}) were passed over: they add nothing to a loss, and "
        "each figure of a finding is over the images whose label of it is known."
    )


def split(results: Results) -> str:
    facts = results.caption
    text = f"We used the {plain(facts.split)} split (SHA-256 {short_hash(facts.split_sha256)})"
    if facts.num_images is None:
        return f"{text}; no test image has been scored."
    if facts.num_patients is None:
        images = plural(facts.num_images, "image")
        return f"{text}; the test part holds {images}, whose patients are not known."
    text += (
        f"; the test part holds {plural(facts.num_images, 'image')} of "
        f"{plural(facts.num_patients, 'patient')}"
    )
    if facts.num_val_patients is None:
        return f"{text}."
    return f"{text}, the validation part {plural(facts.num_val_patients, 'patient')}."


def disjoint(results: Results) -> str:
    """That no patient is in two parts: known of runs that were made here, which refuse it."""
    is_ours = any(row.kind == "final" for row in results.rows)
    if not is_ours:
        return ""
    if not results.caption.has_patients:
        return "Whether a patient is in two parts cannot be told."
    return "The parts are disjoint at the level of patients."


# Models and training ----------------------------------------------------------------------------


def models(results: Results) -> str:
    """What each trained row is; in full, or by what tells it from an earlier one."""
    sentences: list[str] = []
    told: list[tuple[str, Recipe]] = []
    for row in results.rows:
        if row.recipe is None:
            continue
        label, recipe = plain(row.label), row.recipe
        like = next((each for each in told if each[1].model.name == recipe.model.name), None)
        what = as_another(recipe, *like) if like else in_full(recipe, row)
        sentences.append(f"{label}: {what}.")
        told.append((label, recipe))
    return " ".join(sentences)


def search(results: Results) -> str:
    """How much was searched, and over what."""
    found = " ".join(_search(history) for history in results.searches.values())
    if not found:
        return ""
    return (
        f"{found} Trials were ranked by validation macro AUROC; no search read the test part's "
        "labels."
    )


def _search(history: SearchHistory) -> str:
    outcomes = Counter(str(trial.outcome) for trial in history.trials)
    paths = dict.fromkeys(path for trial in history.trials for path in trial.values)
    text = f"The search {plain(history.name)} was given {plural(history.num_trials, 'trial')}"
    if outcomes:
        text += f" ({', '.join(f'{amount} {outcome}' for outcome, amount in outcomes.items())})"
    if paths:
        scales = (f"{p} (log scale)" if p in history.log_scaled else p for p in paths)
        text += f" over {listed(map(plain, scales))}"
    if history.hours is not None:
        on = f" on {plain(history.device)}" if history.device else ""
        text += f" and took {number(history.hours, 2)} device-hours{on}"
    return f"{text}."


def training(results: Results) -> str:
    """The final runs."""
    finals = [row for row in results.rows if row.kind == "final"]
    if not finals:
        return ""
    seeds = results.caption.seeds
    text = (
        f"Each of the {plural(len(finals), 'recipe')} was trained with "
        f"{plural(len(seeds), 'seed')} ({listed(map(str, seeds))})"
        if seeds
        else "The training seeds are not known"
    )
    scored = sum(row.num_scored for row in finals)
    asked = sum(row.num_seeds for row in finals)
    missing = f"; {scored} of {asked} runs have been scored on test" if scored < asked else ""
    return " ".join(part for part in (f"{text}{missing}.", _kept(finals)) if part)


def _kept(finals: Iterable[Row]) -> str:
    """Which epoch's weights were kept; rows are named where they differ in it."""
    labels: dict[str, list[str]] = {}
    for row in finals:
        if row.recipe:
            labels.setdefault(kept_metric(row.recipe), []).append(plain(row.label))
    if len(labels) == 1:
        return f"The weights of the epoch with the best {next(iter(labels))} were kept."
    return " ".join(
        f"Of {listed(rows)} the weights of the epoch with the best {metric} were kept."
        for metric, rows in sorted(labels.items())
    )


def ensembles(results: Results) -> str:
    return " ".join(
        f"{plain(row.label)} is the mean of the scores of the runs of "
        f"{listed(map(plain, row.members))}."
        for row in results.rows
        if row.members
    )


# Evaluation -------------------------------------------------------------------------------------


def thresholds(results: Results) -> str:
    rule = results.caption.threshold_rule
    if rule is None:
        return ""
    meaning = f" ({aim})" if (aim := aim_of(rule)) else ""
    return (
        f"For each finding and run a threshold was chosen on validation by the rule "
        f"{plain(rule)}{meaning}, frozen, and applied to test; figures at thresholds tuned on test "
        "are given as an upper bound alone."
    )


def calibration(results: Results) -> str:
    if not any(row.calibration for row in results.rows):
        return ""
    return (
        "Calibration is given before and after temperature scaling (Guo et al. 2017), the "
        "temperature fitted on validation."
    )


def metrics(results: Results) -> str:
    left_out = [name for name, positives in results.num_positives.items() if positives == 0]
    text = "Macro figures are unweighted means over the findings that have the figure"
    if left_out:
        names = listed(name.replace("_", " ") for name in left_out)
        text += f"; without a positive test image, and so left out: {names}"
    return f"{text}."


def statistics(results: Results) -> str:
    return (
        f"Figures are means over training seeds. {PERCENT} intervals come from "
        f"{plural(results.num_resamples, 'bootstrap resample')} of test {results.unit}s, the same "
        "for all rows; the standard deviation over training seeds is given beside them."
    )


def multiplicity(results: Results) -> str:
    if not any(row.differences for row in results.rows):
        return ""
    has_delong = any(
        each.p_delong is not None
        for row in results.rows
        for scope in row.differences.values()
        for each in scope.values()
    )
    delong = " DeLong's test over images is a cross-check." if has_delong else ""
    return (
        "Each row was compared with the best by a two-sided paired bootstrap test at a level of "
        f"{SIGNIFICANT_P}, adjusted by Holm's method over the rows for macro figures and over the "
        f"findings of a row for single findings.{delong}"
    )


def subgroups(results: Results) -> str:
    attributes = dict.fromkeys(
        plain(group.attribute) for row in results.rows for group in row.subgroups
    )
    if not attributes:
        return ""
    return (
        f"Subgroups by {listed(attributes)} were compared with the rest on the same resamples, "
        f"macro figures over the findings that both have; these gaps have {PERCENT} intervals that "
        "are not corrected for multiplicity."
    )


def where(results: Results) -> str:
    """How the maps of the networks were held against boxes."""
    found = [row.localisation for row in results.rows if row.localisation]
    if not found:
        return ""
    layers = dict.fromkeys(about(each) for each in found)
    return (
        f"For each of {sum(found[0].num_sights.values()):,} findings with a box in the test part "
        f"a map was made ({listed(layers)}) and the pointing game played: a hit where the map's "
        "highest place lies in the box. It is set beside chance, which is the box's part of the "
        "image, and beside pointing at the image's centre, on the same resamples."
    )


def software(results: Results) -> str:
    facts = results.caption
    versions = listed(
        f"{plain(name)} {plain(version)}" for name, version in _sorted(facts.versions)
    )
    code = listed(map(plain, facts.commits))
    parts = [
        f"Software: {versions}." if versions else "The versions of the software are not known.",
        f"The runs were made by the code at commit {code}"
        if code
        else "The code of the runs is not known",
    ]
    made_by = f", the figures at {plain(facts.made_by)}" if facts.made_by else ""
    return f"{parts[0]} {parts[1]}{made_by}."


def _sorted(versions: dict[str, str]) -> Iterable[tuple[str, str]]:
    return sorted(versions.items())


def hardware(results: Results) -> str:
    devices = dict.fromkeys(plain(row.cost.device) for row in results.rows if row.cost.device)
    hours = [row.cost.final_hours for row in results.rows if row.cost.final_hours is not None]
    if not devices:
        return ""
    took = f"; the final runs took {number(sum(hours), 2)} device-hours" if hours else ""
    return f"Devices: {listed(devices)}{took}."
