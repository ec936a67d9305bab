"""The findings of one image as bars against their thresholds: what is flagged comes first.

HTML rather than a chart: its words can be read aloud, copied and enlarged, and it follows the light
and the dark theme. Nothing is told by colour alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from harness.bundle.classifier import Answer
from harness.core.findings import readable

FLAGGED = "#d55e00"
"""Vermilion of Okabe & Ito's palette, which the colour-blind tell from the grey of the others;
3.9 : 1 against white, 4.9 : 1 against the dark theme."""

STYLE = f"""<style>
.findings {{ container-type: inline-size; line-height: 1.3; font-size: 0.95rem; }}
.finding {{
  display: grid; grid-template-columns: 10.5rem minmax(4rem, 1fr) 3.6rem 9.2rem; gap: 0.6rem;
  align-items: center; padding: 0.2rem 0;
}}
.finding .name {{ overflow-wrap: anywhere; }}
.finding .value {{ text-align: right; font-variant-numeric: tabular-nums; }}
.finding .note {{ font-size: 0.85rem; opacity: 0.85; }}
.finding .bar {{
  position: relative; height: 0.75rem; border-radius: 2px;
  background: color-mix(in srgb, currentColor 10%, transparent);
}}
.finding .fill {{
  height: 100%; border-radius: 2px; background: color-mix(in srgb, currentColor 45%, transparent);
}}
.finding .threshold {{
  position: absolute; top: -0.2rem; bottom: -0.2rem; width: 2px; margin-left: -1px;
  background: currentColor;
}}
.finding.is-flagged .name, .finding.is-flagged .value {{ font-weight: 650; }}
.finding.is-flagged .fill {{ background: {FLAGGED}; }}
@container (max-width: 31rem) {{
  .finding {{ grid-template-columns: 1fr auto 8.4rem; gap: 0.15rem 0.5rem; padding: 0.26rem 0; }}
  .finding .bar {{ grid-column: 1 / -1; grid-row: 2; }}
}}
</style>"""


@dataclass(frozen=True)
class FindingRow:
    """One finding of one image.

    Attributes:
        probability: Calibrated, in [0, 1].
        threshold: On the scale of `probability`; None where validation gave none.
        score, score_threshold: The same two as they were evaluated, before calibration.
    """

    finding: str
    probability: float
    threshold: float | None
    is_flagged: bool
    score: float
    score_threshold: float | None


def rows_of(
    findings: Sequence[str],
    answer: Answer,
    *,
    threshold_L: NDArray[np.float64],
    probability_threshold_L: NDArray[np.float32],
) -> list[FindingRow]:
    """The L findings, flagged ones first, each group by falling probability.

    Args:
        threshold_L: On scores; NaN where there is none.
        probability_threshold_L: The same on calibrated probabilities.
    """
    rows = [
        FindingRow(
            finding=finding,
            probability=float(answer.probability_L[index]),
            threshold=_known(probability_threshold_L[index]),
            is_flagged=bool(answer.is_flagged_L[index]),
            score=float(answer.score_L[index]),
            score_threshold=_known(threshold_L[index]),
        )
        for index, finding in enumerate(findings)
    ]
    return sorted(rows, key=lambda row: (not row.is_flagged, -row.probability, row.finding))


def _known(threshold: np.floating) -> float | None:
    return None if np.isnan(threshold) else float(threshold)


def in_order_of(rows: Sequence[FindingRow], findings: Sequence[str]) -> list[FindingRow]:
    """`rows` in the order of `findings`, so that two models' bars stand side by side."""
    place = {finding: number for number, finding in enumerate(findings)}
    return sorted(rows, key=lambda row: place.get(row.finding, len(place)))


def summary(rows: Sequence[FindingRow]) -> str:
    """One sentence: how many findings are flagged, and which."""
    flagged = [readable(row.finding) for row in rows if row.is_flagged]
    names = f": {', '.join(flagged)}" if flagged else ""
    unknown = sum(row.threshold is None for row in rows)
    rest = f"; {unknown} without a threshold" if unknown else ""
    return f"{len(flagged) or 'None'} of {len(rows)} findings flagged{names}{rest}."


def percent(value: float) -> str:
    """`42 %`; below ten with a digit more, since thresholds of rare findings are small."""
    return f"{100 * value:.0f} %" if value >= 0.0995 else f"{100 * value:.1f} %"


def chart(rows: Sequence[FindingRow], *, label: str) -> str:
    """HTML of the bars, from 0 to 100 %.

    Args:
        label: What the list is, for those who hear it.
    """
    items = "".join(map(_item, rows))
    return f'<div class="findings" role="list" aria-label="{escape(label)}">{items}</div>{STYLE}'


def _item(row: FindingRow) -> str:
    if row.threshold is None:
        tick, note = "", "no threshold"
    else:
        tick = f'<span class="threshold" style="left:{100 * row.threshold:.2f}%"></span>'
        mark = "▲ flagged, from" if row.is_flagged else "below"
        note = f"{mark} {percent(row.threshold)}"
    fill = f'<div class="fill" style="width:{100 * row.probability:.2f}%"></div>'
    return (
        f'<div class="finding{" is-flagged" if row.is_flagged else ""}" role="listitem">'
        f'<span class="name">{escape(readable(row.finding))}</span>'
        f'<div class="bar" aria-hidden="true">{fill}{tick}</div>'
        f'<span class="value">{percent(row.probability)}</span>'
        f'<span class="note">{note}</span></div>'
    )
