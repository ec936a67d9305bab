import pytest

from harness.app import plain


def test_a_name_is_one_line_without_marks_that_turn_the_reading_direction():
    assert plain.clean("a\nb\t\u202egnp.exe\x00\u200b  c") == "a b gnp.exe c"
    assert plain.clean("x" * 1000) == "x" * 299 + "…"
    assert plain.clean("Röntgen 胸部.png") == "Röntgen 胸部.png"


@pytest.mark.parametrize(
    "name",
    ["**b**", "<img src=x onerror=alert(1)>", "[a](b)", ":red[x]", "$x$", "# h", "`c`", "| a | b"],
)
def test_every_mark_of_markdown_is_escaped(name):
    shown = plain.markdown(name)
    kept = [c for i, c in enumerate(shown) if c in "*<>[]():$#`|=" and shown[i - 1] != "\\"]
    assert not kept
    assert shown.replace("\\", "") == name


@pytest.mark.parametrize("name", ["https://evil.example/x", "www.evil.example", "a@evil.example"])
def test_an_address_becomes_no_link(name):
    shown = plain.markdown(name).replace("\\", "")
    assert name not in shown
    assert shown.replace(plain.JOINER, "") == name


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1"])
def test_no_cell_is_a_formula(name):
    assert plain.cell(name).startswith("'")


def test_a_plain_name_stays_as_it_is_in_a_cell():
    assert plain.cell("00000001_000.png") == "00000001_000.png"


def test_a_card_fetches_no_picture():
    assert plain.without_pictures("a ![x](http://far/x.png)") == "a !\\[x](http://far/x.png)"
