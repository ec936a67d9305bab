import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.benchmark.forms.html import as_html
from harness.benchmark.forms.report import report_of
from harness.benchmark.results import Results
from tests.benchmark.forms.browser import Page, browser
from tests.benchmark.forms.conftest import SHAPES
from tests.benchmark.sample_results import sample_results

PICTURE = '<svg viewBox="0 0 9 9" role="img"><title>Forest</title><path d="M0 0h9"/></svg>'
VOID = {"meta", "link", "br"}


class Outline(HTMLParser):
    """The tags of a page, checked to be closed in order, with their attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open_tags: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open_tags == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(results: Results) -> str:
    return as_html(report_of(results), figures={"forest": PICTURE})


def test_tags_are_closed_ids_are_unique_and_links_lead_somewhere(shape: Results) -> None:
    outline = Outline(page_of(shape))
    ids = Counter(attrs["id"] for _, attrs in outline.found if "id" in attrs)
    assert [name for name, count in ids.items() if count > 1] == []
    targets = {attrs["href"] for tag, attrs in outline.found if tag == "a"}
    assert targets <= {f"#{name}" for name in ids}
    named = {attrs["aria-labelledby"] for _, attrs in outline.found if "aria-labelledby" in attrs}
    assert named <= set(ids)


def test_nothing_refers_to_another_place(shape: Results) -> None:
    for tag, attrs in Outline(page_of(shape)).found:
        assert tag not in ("img", "iframe", "object", "base")
        for name in ("src", "href", "action"):
            assert (attrs.get(name) or "#").startswith(("#", "data:")), (tag, attrs)


def test_hostile_text_stays_text() -> None:
    outline = Outline(page_of(SHAPES["hostile"]()))
    assert Counter(tag for tag, _ in outline.found)["script"] == 1
    assert not any(name.startswith("on") for _, attrs in outline.found for name in attrs)
    assert '<script>alert("no")</script>' in outline.text


def test_the_figure_stands_in_its_section_and_others_are_left_out(results: Results) -> None:
    text = as_html(report_of(results), figures={"forest": PICTURE})
    section = text.partition('<section id="comparison"')[2].partition("</section>")[0]
    assert f'<figure id="figure-forest">{PICTURE}</figure>' in section
    assert text.count("<figure") == 1


def test_the_policy_names_the_script_that_is_there(results: Results) -> None:
    policy = next(
        attrs["content"] or ""
        for tag, attrs in Outline(page_of(results)).found
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.partition("style-src")[0]


def test_figures_can_be_sorted_by_their_full_value(results: Results) -> None:
    text = page_of(results)
    auroc = results.rows[0].figure("auroc")
    assert auroc is not None
    assert f'data-order="{auroc.value!r}"' in text


# In a browser -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("browser")
    path = folder / "report.html"
    path.write_text(page_of(sample_results()), encoding="utf-8")
    with browser(folder / "profile") as opened:
        opened.open(path)
        yield opened


def column(page: Page, place: int) -> list[str]:
    cells = "[...document.querySelectorAll('#table-main tbody tr')]"
    return page.value(f"{cells}.map(row => row.cells[{place}].firstChild.textContent)")


def header(place: int) -> str:
    return f"document.querySelectorAll('#table-main thead th')[{place}]"


def test_the_page_asks_for_nothing_and_nothing_complains(page: Page) -> None:
    assert len(page.requests) == 1
    assert page.requests[0].endswith("/report.html")
    assert page.complaints == []
    assert page.value("document.documentElement.scrollWidth <= innerWidth") is True


def test_a_hostile_page_runs_no_script_of_its_own(tmp_path: Path) -> None:
    text = page_of(SHAPES["hostile"]()).replace("</main>", "<script>window.x = 1</script></main>")
    path = tmp_path / "report.html"
    path.write_text(text, encoding="utf-8")
    with browser(tmp_path / "profile") as page:
        page.open(path)
        assert page.value("window.x === undefined") is True
        assert len(page.complaints) == 1  # that very refusal
        assert "Content Security Policy" in page.complaints[0]


def test_a_click_sorts_falling_rising_and_back(page: Page) -> None:
    before, auroc = column(page, 0), column(page, 4)
    for direction, expected in (
        ("descending", sorted(auroc, reverse=True)),
        ("ascending", sorted(auroc)),
        ("none", auroc),
    ):
        page.value(f"{header(4)}.querySelector('button').click()")
        assert page.value(f"{header(4)}.getAttribute('aria-sort')") == direction
        assert column(page, 4) == expected
    assert column(page, 0) == before


def test_gaps_stay_last_both_ways(page: Page) -> None:
    for _ in range(2):
        page.value(f"{header(6)}.querySelector('button').click()")  # F1: the foreign row has none
        assert column(page, 6)[-1] == "–"
    page.value(f"{header(6)}.querySelector('button').click()")


def test_the_keyboard_sorts_and_only_one_header_is_marked(page: Page) -> None:
    page.value(f"{header(4)}.querySelector('button').click()")
    page.value(f"{header(0)}.querySelector('button').focus()")
    page.press("Enter", code=13, text="\r")
    assert page.value(f"{header(0)}.getAttribute('aria-sort')") == "ascending"
    marked = "[...document.querySelectorAll('#table-main [aria-sort]')].map(th => th.ariaSort)"
    assert page.value(f"{marked}.filter(sort => sort !== 'none').length") == 1
    labels = column(page, 0)
    assert labels == sorted(labels)
    page.press(" ", code=32, text=" ")
    assert column(page, 0) == sorted(labels, reverse=True)


def test_the_macro_mean_stays_at_the_foot(page: Page) -> None:
    page.value("document.querySelector('#table-auroc thead button').click()")
    last = "[...document.querySelectorAll('#table-auroc tr')].at(-1).cells[0].textContent"
    assert page.value(last) == "Macro mean"


def test_no_script_no_loss(results: Results) -> None:
    """All that there is to read is in the page itself; the script adds only buttons."""
    without = re.sub(r"<script>.*?</script>", "", page_of(results), flags=re.DOTALL)
    text = Outline(without).text
    for table in report_of(results).tables:
        for cell in (cell for row in (*table.rows, table.foot) for cell in row):
            assert cell.text in text
            assert cell.interval in text
