"""The model card of a bundle, in Markdown: what it is for, how good it is, and where it ends.

The headings follow Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv:1810.03993).
"""

from collections.abc import Iterable, Mapping, Sequence

from harness.bundle.bundle import NOT_A_DEVICE, OF_DRAWN_IMAGES, BundleFacts, Figure, PartFigures
from harness.core.recipe import Recipe
from harness.evaluation.thresholds import aim_of

NAMES = {
    "auroc": "AUROC", "auprc": "AUPRC", "f1": "F1", "sensitivity": "Sensitivity",
    "specificity": "Specificity", "ece": "ECE", "brier": "Brier",
}  # fmt: skip
FINDING_METRICS = ("auroc", "auprc", "f1", "sensitivity", "specificity")
GROUP_METRICS = ("auroc", "sensitivity", "specificity")
FEW_POSITIVES = 20
"""Below so many positive images a finding's figures say little."""


def card_of(facts: BundleFacts, recipe: Recipe) -> str:
    """The card, as the bundle's `card.md` holds it."""
    sections = (
        _head(facts, recipe),
        _use(facts),
        _data(facts),
        _part("Validation", facts.validation, facts, _VALIDATION_NOTE),
        _part("Test", facts.test, facts, _TEST_NOTE) if facts.test else "",
        _groups(facts),
        _calls(facts),
        _limits(facts),
        _input(facts),
        _origin(facts, recipe),
    )
    return "\n\n".join(section for section in sections if section) + "\n"


_VALIDATION_NOTE = (
    "The epoch that was kept, the thresholds and the temperature were chosen on these images, and "
    "where the run is the winner of a search, so was its recipe: all figures here are optimistic."
)
_TEST_NOTE = "These images were looked at once, after all that is above had been frozen."


def _head(facts: BundleFacts, recipe: Recipe) -> str:
    synthetic = f"\n\n> **SYNTHETIC**: {OF_DRAWN_IMAGES}" if facts.is_synthetic else ""
    return (
        f"# {facts.name}\n\n> {NOT_A_DEVICE}{synthetic}\n\n"
        f"`{recipe.model.name.partition('.')[0]}` on {facts.input.input_px} px gray images, "
        f"{facts.provenance.num_parameters or 0:,} weights, for {len(facts.findings)} findings on "
        "frontal chest radiographs. Each finding has a score of its own; several may be present."
    )


def _use(facts: BundleFacts) -> str:
    return (
        "## Intended use\n\n"
        "Research on classifiers of chest radiographs: comparing methods, studying errors, showing "
        "how such a network answers. Its users are researchers.\n\n"
        "Not intended: any clinical decision, triage or screening; lateral views, children where "
        "the data have few, and images other than chest radiographs, of which it has an opinion "
        "all the same."
    )


def _data(facts: BundleFacts) -> str:
    made = facts.provenance
    people = "" if facts.has_patients else " Which images show one patient is not known."
    credit = f"\n\n{facts.attribution}" if facts.attribution else ""
    return (
        "## Data\n\n"
        f"{made.store_source}, labels {facts.label_version or 'of its own'} "
        f"(SHA-256 {made.labels_sha256[:12]}), split `{made.split}` ({made.split_sha256[:12]}), "
        f"image store {facts.store[:12]}. No patient is in two parts of the split.{people}\n\n"
        f"**What the weights have seen:** {_seen(facts)}{credit}"
    )


def _seen(facts: BundleFacts) -> str:
    told = [
        f"{one.source}, the training part of `{one.split}` ({one.split_sha256[:12]})"
        if one.split
        else f"{one.source}, of which images is not known"
        for one in facts.seen
    ]
    before = facts.provenance.weights or "random"
    return f"{'; '.join(told) or 'no X-rays'}. They started from: {before}."


def _part(title: str, part: PartFigures, facts: BundleFacts, note: str) -> str:
    unit = "patients" if facts.has_patients else "images"
    rows = [("**mean**", "", *(_cell(part.macro, name) for name in FINDING_METRICS))]
    rows += [
        (finding, str(count), *(_cell(part.findings[finding], name) for name in FINDING_METRICS))
        for finding, count in part.num_positives.items()
    ]
    calibration = ", ".join(
        f"{NAMES[name]} {_cell(part.macro, name)}"
        for name in ("ece", "brier")
        if name in part.macro
    )
    return (
        f"## {title}\n\n{part.num_images:,} images of {part.num_patients:,} patients; brackets are "
        f"95 % intervals over {unit} (bootstrap). {note}\n\n"
        + _table(("Finding", "Positive", *(NAMES[name] for name in FINDING_METRICS)), rows)
        + f"\n\nOf the calibrated probabilities, mean over findings: {calibration or 'no figures'}."
    )


def _groups(facts: BundleFacts) -> str:
    if not facts.subgroups:
        return "## Groups of patients\n\nSex, age and view are not known."
    rows = [
        (
            one.attribute,
            one.group,
            f"{one.num_images:,}",
            f"{one.num_patients:,}",
            *(_cell(one.macro, name) for name in GROUP_METRICS),
        )
        for one in facts.subgroups
    ]
    head = ("By", "Group", "Images", "Patients", *(NAMES[name] for name in GROUP_METRICS))
    return (
        "## Groups of patients\n\nMeans over the findings that have the figure in the group, on "
        "validation; groups with other findings are not measured by the same ones.\n\n"
        + _table(head, rows)
    )


def _calls(facts: BundleFacts) -> str:
    rule, aim = facts.threshold_rule, aim_of(facts.threshold_rule)
    rows = [
        (name, "none" if (one := facts.thresholds[name]) is None else f"{one:.4f}")
        for name in facts.findings
    ]
    return (
        "## Thresholds and calibration\n\n"
        f"A finding is flagged where its score reaches its threshold, tuned by `{rule}`"
        f"{f' for {aim}' if aim else ''}. Probabilities are scores after temperature scaling with "
        f"T = {facts.temperature:.3f}: calibrated to how often findings are labelled in these "
        "data, which another hospital does not share.\n\n" + _table(("Finding", "Threshold"), rows)
    )


def _limits(facts: BundleFacts) -> str:
    few = [name for name, count in facts.validation.num_positives.items() if count < FEW_POSITIVES]
    lines = [
        "The images are of one source; other devices, hospitals and patients were not tried.",
        "Labels of chest X-rays are mostly read from reports by a program, wrong in part; what a "
        "network learns from them, and is scored by, is wrong with them.",
        "A network may go by what lies beside a finding, such as tubes, text or the view.",
    ]
    if few:
        lines.append(
            f"Fewer than {FEW_POSITIVES} positive validation images, so that threshold and figures "
            f"say little: {', '.join(few)}."
        )
    if none := [name for name, one in facts.thresholds.items() if one is None]:
        lines.append(f"Never flagged, for want of a threshold: {', '.join(none)}.")
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _input(facts: BundleFacts) -> str:
    shown = facts.input
    return (
        "## From an image to the network\n\n"
        f"Gray, air dark, squeezed to {shown.size_px} x {shown.size_px} (antialiased bilinear), "
        f"resized to {shown.resize_px}, the centre {shown.input_px} x {shown.input_px} cut out, "
        f"divided by 255; the network itself subtracts {_numbers(shown.mean)} and divides by "
        f"{_numbers(shown.std)} in its three equal channels. DICOM: the file's own tables and "
        "first window, MONOCHROME1 inverted."
    )


def _origin(facts: BundleFacts, recipe: Recipe) -> str:
    made = facts.provenance
    dirty = " with uncommitted changes" if made.git_dirty else ""
    versions = ", ".join(f"{name} {text}" for name, text in made.versions.items())
    lines = [
        f"run `{facts.run_id[:12]}`, seed {recipe.seed}, epoch {facts.best_epoch}, weights SHA-256 "
        f"`{facts.weights_sha256[:12]}`",
        f"code {made.git_commit[:12] or 'of a release'}{dirty}; {versions}",
        f"trained {made.started_at} on {made.device}",
        _agreed(facts),
    ]
    return "## Origin\n\n" + "\n".join(f"- {line}" for line in lines if line)


def _agreed(facts: BundleFacts) -> str:
    if (found := facts.agreement) is None:
        return ""
    if found.largest_difference == 0:
        how = "bit-equal to those of the run"
    else:
        how = (
            f"not those of the run, by up to {found.largest_difference:.2g} "
            f"(allowed: {found.tolerance:.2g})"
        )
    return (
        f"loaded again on {found.checked_on}, its scores of {found.num_images:,} validation images "
        f"are {how}"
    )


# Words ------------------------------------------------------------------------------------------


def _cell(figures: Mapping[str, Figure], name: str) -> str:
    if (one := figures.get(name)) is None:
        return "-"
    if one.low is None or one.high is None:
        return f"{one.value:.3f}"
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"


def _numbers(values: Sequence[float]) -> str:
    shown = [f"{value:.4g}" for value in values]
    return shown[0] if len(set(shown)) == 1 else f"({', '.join(shown)})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
