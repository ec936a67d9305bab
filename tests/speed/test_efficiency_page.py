"""The page, the JSON and the picture say the same of known races."""

import json

import pytest

from harness.speed.contenders import WAYS
from harness.speed.efficiency_page import HEADERS, told
from harness.speed.report import write_speed
from tests.speed.test_efficiency import DEV, HELD_OUT, made

HARDWARE = {"cores": 2, "cpu": "some CPU", "memory_gb": 25.0, "load_before": 0.1}


def test_the_page_and_the_json_say_the_same(tmp_path):
    speed = told(made())
    paths = write_speed(tmp_path / "efficiency", speed, HARDWARE)
    assert [path.name for path in paths] == ["efficiency.json", "efficiency.md", "efficiency.png"]
    cells = (WAYS["gp"].title, "10.00", "0.50", "0.50", "0.750", "50")
    assert speed.more.rows[1] == cells
    page = paths[1].read_text()
    assert "| " + " | ".join(cells) + " |" in page
    assert "| " + " | ".join(HEADERS) + " |" in page
    assert len([line for line in page.splitlines() if line.count(" to ") and "| 56 |" in line]) == 5
    told_json = json.loads(paths[0].read_text())
    assert told_json["ways"][0]["epochs"] == {DEV: 3000.0, HELD_OUT: 1000.0}
    assert told_json["ways"][1]["held_out"] == pytest.approx(0.5)
    assert paths[2].stat().st_size > 10_000


def test_goals_are_of_held_out_tasks_where_there_are_such():
    rows = told(made()).rows
    assert [row.ours for row in rows] == [pytest.approx(0.5), pytest.approx(0.5), 0.75]
    assert [row.holds for row in rows] == [False, False, False]
    assert "held-out" in rows[0].what
    known = made()
    of_dev = known.rows[1].model_copy(update={"speed_up": {DEV: 10.0}})
    (mean, worst, _) = told(known.model_copy(update={"rows": (of_dev,), "tasks": (DEV,)})).rows
    assert (mean.ours, worst.ours, mean.holds) == (pytest.approx(10), 10, True)
    assert "development" in mean.what
