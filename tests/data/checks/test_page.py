import re
from html.parser import HTMLParser

from harness.core.files import read_json
from harness.data.checks import StoreReport, check_store, write_report
from harness.data.checks.page import MAX_LINES, as_html

HOSTILE = "<script>alert('x')</script>&\".png"


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def leaky(make_store, **told):
    def spoil(table, images):
        images[20] = images[0]
        table.loc[20, "image"] = HOSTILE
        table.loc[11, "patient"] = "p0"

    return make_store(spoil, attribution="A & <B>", **told)


def test_the_page_is_escaped_and_asks_for_nothing(make_store):
    store = leaky(make_store)
    html = as_html(check_store(store), store)
    page = Page(html)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object"}
    assert HOSTILE in page.text
    assert "A & <B>" in page.text
    sources = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert len(sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert [attrs["alt"] for tag, attrs in page.tags if tag == "img"] == ["film_000.png", HOSTILE]
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert "http" not in re.sub(r"http-equiv", "", html)


def test_the_worst_comes_first_and_synthetic_is_said(make_store):
    store = leaky(make_store)
    page = Page(as_html(check_store(store), store))
    verdicts = [a["class"].split()[1] for _, a in page.tags if "verdict" in (a.get("class") or "")]
    assert verdicts[:2] == ["leak", "leak"]
    assert verdicts == sorted(verdicts, key=["leak", "doubt", "note", "good"].index)
    assert "120 SYNTHETIC images of 60 patients" in page.text
    assert "which cannot be made" in page.text


def test_a_long_table_is_cut_and_says_so(make_store):
    def spoil(table, images):
        table["age"] = 101

    store = make_store(spoil)
    page = Page(as_html(check_store(store), store))
    assert f"And {120 - MAX_LINES} more in check.json." in page.text


def test_the_json_holds_the_report(make_store, tmp_path):
    store = leaky(make_store)
    report = check_store(store)
    paths = write_report(report, store, tmp_path / "report")
    assert [path.name for path in paths] == ["check.html", "check.json"]
    assert StoreReport.model_validate(read_json(paths[1])) == report
