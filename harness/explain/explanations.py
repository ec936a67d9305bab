"""`Explanations`: where a run looked for each finding that has a box, as its folder holds it.

Geometry alone, in pixels of the frame that the store gives its boxes in: every figure, at any
tolerance, follows from it without the images or the network.
"""

from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import ValidationError

from harness.core.errors import HarnessError
from harness.core.files import read_json, write_json
from harness.core.recipe import Frozen, problems_of

Part = Literal["val", "test"]


class Box(NamedTuple):
    """A rectangle; x and y are its top left corner."""

    x: float
    y: float
    w: float
    h: float


class Sight(Frozen):
    """One finding of one image: where it is, and where the network looked for it.

    Attributes:
        boxes: Of the finding, at least one.
        peak: x and y of the map's highest place; None where nothing spoke for the finding.
        region: Of the connected part of the map that is at least `Explanations.level` high and
            holds the peak; None with `peak`.
    """

    image: str
    patient: str
    finding: str
    boxes: tuple[Box, ...]
    peak: tuple[float, float] | None
    region: Box | None


class Explanations(Frozen):
    """The maps of a run held against the boxes of a part.

    Attributes:
        run_id: Of the run's recipe.
        part: Of its split.
        layer: Whose activation was weighed.
        grid: Its rows and columns: the maps are no finer than that.
        level: Part of a map's highest value that a region reaches.
        frame_px: Side of the square that the boxes are in.
        sights: In the order of the images.
        code: Hash of the sources that made the maps.
    """

    run_id: str
    part: Part
    split_sha256: str
    layer: str
    grid: tuple[int, int]
    level: float
    frame_px: int
    sights: tuple[Sight, ...]
    code: str

    @property
    def findings(self) -> tuple[str, ...]:
        """Those that a sight is of, by name."""
        return tuple(sorted({sight.finding for sight in self.sights}))

    def write(self, folder: Path) -> None:
        """Write them into a run's folder, beside its predictions of the same part."""
        write_json(explanations_file(folder, self.part), self.model_dump(mode="json"))


def explanations_file(folder: Path, part: Part) -> Path:
    """Beside the run's predictions of the same part."""
    return folder / f"explanations_{part}.json"


def read_explanations(folder: Path, part: Part) -> Explanations | None:
    """What a run's folder holds; None where it has none of that part.

    Raises:
        HarnessError: The file is damaged.
    """
    path = explanations_file(folder, part)
    try:
        return Explanations.model_validate(read_json(path))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        where, what = problems_of(error)[0]
        raise HarnessError(
            f"{path}: damaged ({where}: {what}); remove it to make it again"
        ) from None
    except ValueError as error:
        raise HarnessError(f"{path}: not JSON ({error}); remove it to make it again") from None
