"""Foreign text made harmless: a file's name or an error's words as a page and a CSV may show them.

A name may hold Markdown, HTML, a formula or marks that turn the reading direction round.
"""

import re
import unicodedata

from harness.bundle.predict import FORMULA_SIGNS

MAX_CHARACTERS = 300

PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
LINK = re.compile(r"(://|@|www)", re.IGNORECASE)
JOINER = "\u2060"
"""Shows nothing and joins words; within an address it ends what Markdown would make a link."""

CONTROL = ("Cc", "Cf", "Co", "Cs")
"""Unicode categories of what is not printed; bidirectional marks are among them."""


def clean(text: str, limit: int = MAX_CHARACTERS) -> str:
    """`text` on one line, without control characters, at most `limit` characters long."""
    kept = "".join(" " if unicodedata.category(c) in CONTROL else c for c in text[: 4 * limit])
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def markdown(text: str) -> str:
    """Markdown that shows the characters of `text`, whatever they would mean in Markdown."""
    return PUNCTUATION.sub(r"\\\1", LINK.sub(rf"\1{JOINER}", clean(text)))


def cell(text: str) -> str:
    """`text` as a cell of a CSV file that no spreadsheet takes for a formula."""
    line = clean(text)
    return f"'{line}" if line.startswith(FORMULA_SIGNS) else line


def without_pictures(card: str) -> str:
    """A model card whose pictures, which would be fetched from elsewhere, are only named."""
    return card.replace("![", "!\\[")
