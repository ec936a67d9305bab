"""The page, the JSON and the picture say the same of known races."""

import json

import pytest

from harness.speed.contenders import WAYS
from harness.speed.efficiency_page import HEADERS, rows_of, write_efficiency_report
from tests.speed.test_efficiency import DEV, HELD_OUT, made

HARDWARE = {"cores": 2, "cpu": "some CPU", "memory_gb": 25.0, "load_before": 0.1}


def test_the_page_and_the_json_say_the_same(tmp_path):
    paths = write_efficiency_report(made(), HARDWARE, tmp_path)
    assert [path.name for path in paths] == ["efficiency.json", "efficiency.md", "efficiency.png"]
    assert rows_of(made())[1] == [WAYS["gp"].title, "10.00", "0.50", "0.50", "0.750", "50"]
    table = [line for line in paths[1].read_text().splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert {line.count("|") for line in table} == {len(HEADERS) + 1}
    told = json.loads(paths[0].read_text())
    assert told["rows"][0]["epochs"] == {DEV: 3000.0, HELD_OUT: 1000.0}
    assert told["rows"][1]["held_out"] == pytest.approx(0.5)
    assert paths[2].stat().st_size > 10_000
