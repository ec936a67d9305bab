"""How figures, hashes and names are written, in every form: all rounding is done here.

Control characters, which no form can show, become blanks.
"""

import re
from collections.abc import Iterable

from harness.benchmark.estimates import LEVEL
from harness.benchmark.results import Row
from harness.core.findings import readable

MINUS = "−"
DECIMALS = 3
FINE_DECIMALS = 4
HASH_DIGITS = 12
PERCENT = f"{LEVEL:.0%}".replace("%", " %")
UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


def number(value: float, decimals: int = DECIMALS) -> str:
    """`0.012`, with a minus sign and not a hyphen."""
    return f"{value:.{decimals}f}".replace("-", MINUS)


def signed(value: float, decimals: int = DECIMALS) -> str:
    """`+0.012`, `−0.012`; what is rounded to nothing has no sign."""
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def interval(low: float | None, high: float | None, *, is_signed: bool = False) -> str:
    """`[0.781, 0.823]`; empty where it is not known."""
    if low is None or high is None:
        return ""
    show = signed if is_signed else number
    return f"[{show(low)}, {show(high)}]"


def value_of(value: object) -> str:
    """A hyperparameter in at most three digits."""
    return f"{value:.3g}" if isinstance(value, float) else plain(value)


def plural(amount: int, noun: str) -> str:
    """`1 image`, `2,000 images`."""
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def short_hash(sha256: str | None) -> str:
    """The first digits of a SHA-256; `unknown` for none."""
    return sha256[:HASH_DIGITS] if sha256 else "unknown"


def seeds_of(row: Row) -> str:
    """`3`, or `2 of 3` where a run has not been scored."""
    if row.num_scored == row.num_seeds:
        return str(row.num_seeds)
    return f"{row.num_scored} of {row.num_seeds}"


def finding_name(finding: str) -> str:
    """A finding's name as people read it, on one line."""
    return plain(readable(finding))


def plain(text: object) -> str:
    """On one line, without control characters or signs that turn the direction of writing."""
    return UNSHOWN.sub(" ", str(text)).strip()
