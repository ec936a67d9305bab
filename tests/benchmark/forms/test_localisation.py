from harness.benchmark.estimates import Estimate, Localisation
from harness.benchmark.forms.localisation import finding_lines, localisation_tables
from harness.benchmark.forms.tables import EXCLUDES_0
from harness.benchmark.results import Results
from tests.benchmark.forms.conftest import SHAPES, changed, of_rows, row_of

HIT, CHANCE = Estimate(value=0.6, low=0.5, high=0.7, seeds=(0.5, 0.7)), Estimate(value=0.1)
GAIN, NO_GAIN = Estimate(value=0.5, low=0.4, high=0.6), Estimate(value=-0.1, low=-0.3, high=0.1)
FIGURES = {"pointing": HIT, "chance": CHANCE, "centre": CHANCE, "iobb_25": HIT}
WHERE = Localisation(
    layer="features.norm5", grid=(7, 7), level=0.7, tolerance_px=0, frame_px=1024,
    num_sights={"Pleural_Thickening": 12}, num_patients=9,
    figures={"macro": FIGURES, "Pleural_Thickening": FIGURES},
    gains={
        scope: {"chance": GAIN, "centre": NO_GAIN} for scope in ("macro", "Pleural_Thickening")
    },
)  # fmt: skip


def looked() -> Results:
    return of_rows(changed(row_of("a", 0.8), localisation=WHERE), row_of("theirs", 0.7))


def test_pointing_stands_beside_who_sees_nothing() -> None:
    pointing, *_ = localisation_tables(looked())
    assert pointing.headers == ("Finding", "Boxes", "Chance", "Image centre", "a")
    (line,) = pointing.rows
    assert [cell.text for cell in line] == ["Pleural Thickening", "12", "0.100", "0.100", "0.600"]
    assert (line[4].interval, line[4].aside) == ("[0.500, 0.700]", "± 0.141")
    assert pointing.foot[0].text == "Mean of findings"


def test_the_layer_and_its_grid_are_told() -> None:
    notes = " ".join(localisation_tables(looked())[0].notes)
    assert "a: Grad-CAM at features.norm5, 7 × 7 cells" in notes
    assert "9 patients" in notes
    assert "Up to" not in notes, "no tolerance was granted"


def test_a_gain_that_excludes_0_is_marked() -> None:
    _, chance, centre, overlap = localisation_tables(looked())
    assert (chance.rows[0][1].text, chance.rows[0][1].marks) == ("+0.500", (EXCLUDES_0,))
    assert (centre.rows[0][1].text, centre.rows[0][1].marks) == ("−0.100", ())
    assert [cell.text for cell in overlap.rows[0][:3]] == ["a", "–", "0.600"]


def test_the_lines_of_a_terminal_end_with_the_mean() -> None:
    scopes = [scope for scope, _ in finding_lines(WHERE)]
    assert scopes == ["Pleural_Thickening", "macro"]


def test_no_boxes_no_tables() -> None:
    assert localisation_tables(SHAPES["bare"]()) == ()
