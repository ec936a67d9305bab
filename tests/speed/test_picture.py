"""The picture has a bar for each ratio and a mark for each goal."""

from matplotlib.figure import Figure

from harness.speed.picture import COLOURS, draw_ratios
from harness.speed.report import Row

ROWS = [
    Row(what="work", unit="s", ours=1, peer=600, peer_name="peer", goal=500),
    Row(what="work", unit="s", ours=1, peer=20, peer_name="other", goal=50),
    Row(what="alone", unit="s", ours=1, goal=2),
    Row(what="slower", unit="s", ours=4, peer=1, peer_name="peer"),
]


def test_bars_end_at_the_ratios_and_goals_are_marked(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda self, target, **_: drawn.append(self))
    monkeypatch.setattr("harness.speed.picture.write_atomic", lambda path, write: write(path))
    draw_ratios(tmp_path / "x.png", ROWS)
    (axes,) = drawn[0].axes
    assert axes.get_xscale() == "log"
    bars = axes.patches
    assert [round(bar.get_x() + bar.get_width(), 6) for bar in bars] == [600, 20, 0.25]
    assert [bar.get_facecolor()[:3] for bar in bars] == [
        tuple(int(COLOURS[holds][at : at + 2], 16) / 255 for at in (1, 3, 5))
        for holds in (True, False, None)
    ]
    goals = [line.get_xdata()[0] for line in axes.lines if len(set(line.get_xdata())) == 1]
    assert {500, 50} <= set(goals)
    low, high = axes.get_xlim()
    assert low < 0.25
    assert high > 600
    assert [text.get_text() for text in axes.texts] == ["600", "20", "0.25"]
