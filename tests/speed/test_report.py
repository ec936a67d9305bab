"""What a row says of itself; the page, the JSON and the picture of a table; what it came from."""

import json

from PIL import Image

from harness.speed.report import HEADERS, Row, Speed, Table, write_measured, write_speed

HARDWARE = {"cores": 2, "cpu": "some CPU", "memory_gb": 25.0, "load_before": 0.1}
FASTER = Row(what="work", unit="s", ours=0.5, peer=300, peer_name="peer", goal=500)
SLOWER = Row(
    what="reading", unit="images/s", ours=200, peer=100, peer_name="peer", is_rate=True, goal=3,
    limit="the disk",
)  # fmt: skip
ABSENT = Row(what="reading", unit="images/s", ours=200, peer_name="peer", is_rate=True, goal=3)
ALONE = Row(what="waiting", unit="ms", ours=0.25, goal=1)
BARE = Row(what="drawing", unit="s", ours=1234.5)


def test_a_ratio_says_how_many_times_better():
    assert [row.ratio for row in (FASTER, SLOWER, ABSENT, ALONE)] == [600, 2, None, None]


def test_a_goal_is_of_the_ratio_or_of_the_figure_itself():
    assert [row.holds for row in (FASTER, SLOWER, ABSENT, ALONE, BARE)] == [
        True, False, None, True, None,
    ]  # fmt: skip
    assert ALONE.model_copy(update={"ours": 1.5}).holds is False
    rate = Row(what="x", unit="images/s", ours=100, is_rate=True, goal=99)
    assert rate.holds is True
    assert rate.model_copy(update={"ours": 98}).holds is False


def test_cells_are_words():
    rows = [row.cells for row in (FASTER, SLOWER, ABSENT, ALONE, BARE)]
    assert {len(cells) for cells in rows} == {len(HEADERS)}
    assert rows == [
        ["work", "0.5 s", "300 s (peer)", "600", "500 times", "yes"],
        ["reading", "200 images/s", "100 images/s (peer)", "2", "3 times", "NO"],
        ["reading", "200 images/s", "not installed (peer)", "-", "3 times", "-"],
        ["waiting", "0.25 ms", "-", "-", "at most 1 ms", "yes"],
        ["drawing", "1,234 s", "-", "-", "-", "-"],
    ]


def speed(*rows):
    return Speed(
        title="What it costs", rows=rows, notes="It was compared.\n", tools=("torch", "no-such"),
        figures={"kilobytes": 3},
    )  # fmt: skip


def test_page_json_and_picture_say_the_same(tmp_path):
    paths = write_speed(tmp_path / "data", speed(FASTER, SLOWER), HARDWARE)
    assert [path.name for path in paths] == ["data.json", "data.md", "data.png"]
    told = json.loads(paths[0].read_text())
    assert [(row["ratio"], row["holds"]) for row in told["rows"]] == [(600, True), (2, False)]
    assert (told["kilobytes"], told["hardware"]) == (3, HARDWARE)
    text = paths[1].read_text()
    for words in (
        "# What it costs\n", "| work | 0.5 s | 300 s (peer) | 600 | 500 times | yes |",
        "\nIt was compared.\n", "- reading: the disk", "2 cores (some CPU), 25.0 GB", "torch 2",
        "no-such not installed", "Made by `harness speed data`.", "](data.png)",
    ):  # fmt: skip
        assert words in text
    with Image.open(paths[2]) as picture:
        assert picture.width > 900


def test_what_limits_a_row_is_told_only_where_it_falls_short(tmp_path):
    held = SLOWER.model_copy(update={"goal": 2})
    _, page, *_ = write_speed(tmp_path / "data", speed(held), HARDWARE)
    assert "the disk" not in page.read_text()


def test_rows_with_one_limit_share_a_line(tmp_path):
    other = SLOWER.model_copy(update={"what": "writing"})
    _, page, *_ = write_speed(tmp_path / "data", speed(SLOWER, SLOWER, other), HARDWARE)
    assert "\n- reading; writing: the disk\n" in page.read_text()


def test_without_a_ratio_there_is_no_picture(tmp_path):
    paths = write_speed(tmp_path / "data", speed(ALONE, ABSENT), HARDWARE)
    assert [path.suffix for path in paths] == [".json", ".md"]


def test_a_row_without_a_figure_says_why():
    row = Row(what="graphs", unit="s", ours=None, note="no GPU", goal=1, peer=3, peer_name="peer")
    assert (row.ratio, row.holds) == (None, None)
    assert row.cells == ["graphs (no GPU)", "-", "3 s (peer)", "-", "1 times", "-"]


def test_a_ratio_of_pairs_takes_the_place_of_that_of_medians():
    row = SLOWER.model_copy(update={"paired_ratio": 3.5})
    assert (row.ratio, row.holds) == (3.5, True)


def test_a_table_and_a_picture_of_its_own_are_shown(tmp_path):
    table = Table(headers=("way", "hits"), rows=(("gp", "1.00"),))
    more = {"more": table, "draw": lambda path: path.write_bytes(b"drawn")}
    paths = write_speed(tmp_path / "data", speed(FASTER).model_copy(update=more), HARDWARE)
    assert paths[2].read_bytes() == b"drawn"
    assert "\n\n| way | hits |\n| --- | ---: |\n| gp | 1.00 |\n\n" in paths[1].read_text()


def test_without_matplotlib_there_is_no_picture(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.speed.report.find_spec", lambda name: None)
    paths = write_speed(tmp_path / "data", speed(FASTER), HARDWARE)
    assert [path.suffix for path in paths] == [".json", ".md"]


def test_what_was_measured_elsewhere_keeps_its_origin(tmp_path):
    first = json.loads(write_speed(tmp_path / "data", speed(FASTER), HARDWARE)[0].read_text())
    origin = first | {"git_commit": "abc", "git_dirty": False, "at": "then"}
    told, page, _ = write_measured(tmp_path / "data", speed(FASTER), origin)
    assert "commit abc; then." in page.read_text()
    assert json.loads(told.read_text())["git_commit"] == "abc"
