"""The page and the JSON of a comparison say the same figures, and where they come from."""

import json

from harness.speed.measure import Measurement
from harness.speed.search import CONTENDERS, HEADERS, rows_of, write_search_report

HARDWARE = {"cores": 2, "cpu": "some CPU", "memory_gb": 25.0, "load_before": 0.1}
RSS_MB = {"10%": 400.4, "50%": 410.0, "100%": 420.6}
MEASUREMENTS = {
    "harness": Measurement(
        num_trials=300, num_slots=2, wall_s=400, training_s=200, first_s=12, last_s=399,
        rss_mb=RSS_MB,
    ),
    "stock": Measurement(
        num_trials=1, num_slots=2, wall_s=20, training_s=2, first_s=15, last_s=15, rss_mb={},
    ),
}  # fmt: skip


def test_every_row_has_its_figures():
    ours, stock = rows_of(MEASUREMENTS)
    assert len(ours) == len(stock) == len(HEADERS)
    assert ours == ["harness", "300", "400.0", "200.0", "1.00", "0.96", "12.0", "400, 410, 421"]
    assert stock[1:] == ["1", "20.0", "2.0", "19.00", "-", "15.0", "-"]


def test_the_page_has_a_table_the_hardware_and_the_versions(tmp_path):
    _, page = write_search_report(MEASUREMENTS, HARDWARE, tmp_path / "speed")
    lines = page.read_text().splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert {line.count("|") for line in table} == {len(HEADERS) + 1}
    text = " ".join(lines)
    for word in ("2 cores (some CPU), 25.0 GB; load before: 0.1", "ray ", "mlflow ", "commit"):
        assert word in text
    assert "/ 2 trials at a time" in text


def test_the_json_has_what_was_measured_and_what_follows_from_it(tmp_path):
    path, _ = write_search_report(MEASUREMENTS, HARDWARE, tmp_path)
    told = json.loads(path.read_text())
    assert told["hardware"] == HARDWARE
    assert told["contenders"]["harness"]["overhead_s"] == 1.0
    assert told["contenders"]["harness"]["rss_mb"] == RSS_MB
    assert told["contenders"]["stock"]["later_overhead_s"] is None


def test_only_ways_that_restart_workers_get_fewer_trials():
    given = {name: contender.num_trials(300) for name, contender in CONTENDERS.items()}
    assert given == {"harness": 300, "stock": 20, "stock_reusing": 300}
    assert CONTENDERS["stock"].num_trials(6) == 6
