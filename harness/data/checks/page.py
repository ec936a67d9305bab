"""A `StoreReport` as one HTML page that asks for nothing outside itself, and as JSON."""

import base64
import io
from collections.abc import Iterable
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from harness.core.files import write_json, write_text
from harness.data.checks.report import Check, StoreReport, Verdict
from harness.data.store import ImageStore

THUMB_PX = 160
MAX_LINES = 50

STYLE = """
:root { color-scheme: light dark; --line: #8886; --leak: #c2410c; --doubt: #a16207;
  --note: #0369a1; --good: #15803d; }
@media (prefers-color-scheme: dark) { :root { --leak: #fb923c; --doubt: #facc15;
  --note: #7dd3fc; --good: #86efac; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; }
.verdict { font-weight: 600; }
.leak { color: var(--leak); } .doubt { color: var(--doubt); }
.note { color: var(--note); } .good { color: var(--good); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); text-align: left; }
.number { text-align: right; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1rem 0; }
figure { margin: 0; }
figure img { margin-right: 2px; max-width: 44vw; height: auto; }
figcaption { font-size: .75rem; max-width: 20rem; overflow-wrap: anywhere; }
footer { margin: 3rem 0; font-size: .8rem; border-top: 1px solid var(--line); }
""".strip()


def write_report(report: StoreReport, store: ImageStore, folder: Path) -> list[Path]:
    """Write `check.html` and `check.json` into `folder`."""
    write_json(folder / "check.json", report.model_dump(mode="json"))
    write_text(folder / "check.html", as_html(report, store))
    return [folder / "check.html", folder / "check.json"]


def as_html(report: StoreReport, store: ImageStore) -> str:
    """The page: the verdicts, then each check with its first rows and images, the worst first."""
    worst_first = sorted(report.checks.values(), key=_badness, reverse=True)
    title = f"Checks of {report.source} {report.fingerprint[:12]}"
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    sections = "\n".join(_section(check, store) for check in worst_first)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p>{escape(about(report))}</p>
{sections}
<footer><p>{escape(report.attribution)}</p><p>Made {escape(report.created_at)}.</p></footer>
</body>
</html>
"""


def about(report: StoreReport) -> str:
    """What was checked, in a sentence or two."""
    kind = "SYNTHETIC images" if report.is_synthetic else "images"
    whose = "" if report.num_patients is None else f" of {report.num_patients:,} patients"
    split = report.split_sha256[:12] if report.split_sha256 else "which cannot be made"
    return (
        f"{report.num_images:,} {kind}{whose}, {report.size_px} px, store "
        f"{report.fingerprint[:12]}; split {report.split} ({split})."
    )


def _badness(check: Check) -> int:
    return list(Verdict).index(check.verdict)


def _section(check: Check, store: ImageStore) -> str:
    verdict = check.verdict.value
    parts = [
        f"<h2>{escape(check.title)} <span class='verdict {verdict}'>{verdict}</span></h2>",
        f"<p>{escape(check.summary)}</p>",
        _pictures(check.images, store),
        _table(check),
    ]
    return "<section>\n" + "\n".join(filter(None, parts)) + "\n</section>"


def _table(check: Check) -> str:
    if not check.rows:
        return ""
    head = "".join(
        f"<th scope='col'{_kind(cell)}>{escape(name)}</th>"
        for name, cell in zip(check.columns, check.rows[0], strict=True)
    )
    lines = "\n".join(f"<tr>{_cells(row)}</tr>" for row in check.rows[:MAX_LINES])
    rest = len(check.rows) - MAX_LINES
    more = f"<p>And {rest:,} more in check.json.</p>" if rest > 0 else ""
    return f"<div class='wide'><table>\n<tr>{head}</tr>\n{lines}\n</table></div>{more}"


def _cells(row: Iterable[str | int | float | None]) -> str:
    return "".join(
        f"<td{_kind(cell)}>{escape(cell) if isinstance(cell, str) else _number(cell)}</td>"
        for cell in row
    )


def _kind(cell: str | int | float | None) -> str:
    return "" if isinstance(cell, str) else " class='number'"


def _number(value: int | float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _pictures(groups: Iterable[tuple[str, ...]], store: ImageStore) -> str:
    row_of = dict(zip(store.table["image"], range(len(store)), strict=True))
    figures = []
    for group in groups:
        images = "".join(_picture(store, row_of[image], image) for image in group)
        figures.append(
            f"<figure>{images}<figcaption>{escape(', '.join(group))}</figcaption></figure>"
        )
    return f"<div class='pictures'>{''.join(figures)}</div>" if figures else ""


def _picture(store: ImageStore, row: int, image: str) -> str:
    stream = io.BytesIO()
    gray = Image.fromarray(np.array(store.images[row]))
    gray.resize((THUMB_PX, THUMB_PX), Image.Resampling.BILINEAR).save(stream, "PNG")
    data = base64.b64encode(stream.getvalue()).decode()
    return (
        f"<img src='data:image/png;base64,{data}' alt='{escape(image)}' "
        f"width='{THUMB_PX}' height='{THUMB_PX}'>"
    )
