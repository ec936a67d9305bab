"""A small folder of each source that `READERS` reads, and what a store of it must hold."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from harness.data.chexpert import FINDINGS

SIZE_PX = 16
Expected = dict[str, tuple[str, str, dict[str, bool | None]]]
"""Per image its patient, its part, and its labels; those that are not named are negative."""


def draw(root: Path, image: str, number: int) -> None:
    """An image of one gray, the `number` of its row times 20."""
    path = root / image
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((SIZE_PX, SIZE_PX), 20 * number, np.uint8)).save(path)


def own_folder(root: Path) -> Expected:
    lines = ["image,patient,age,sex,part,Fracture,Rib 3"]
    expected: Expected = {}
    for number, (part, fracture, rib) in enumerate(
        [
            ("train", "1", ""),
            ("train", "0", "1"),
            ("val", "1", "0"),
            ("val", "0", "1"),
            ("test", "0", "0.0"),
        ]
    ):
        image = f"ward/{number}.png"
        draw(root, image, number)
        lines.append(f"{image},p{number},{30 + number},F,{part},{fracture},{rib}")
        labels = {"Fracture": fracture == "1", "Rib 3": {"": None, "1": True}.get(rib, False)}
        expected[image] = (f"p{number}", part, labels)
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return expected


def chexpert(root: Path) -> Expected:
    """Two training films, one of them uncertain, a lateral one to be left out, and others."""
    names = ("No Finding", *FINDINGS)
    header = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *names]
    films = {
        "train": [("patient00001", "view1_frontal", {"Edema": "1.0", "Fracture": "-1.0"}),
                  ("patient00001", "view2_lateral", {"Edema": "1.0"}),
                  ("patient00002", "view1_frontal", {"Edema": "0.0"})],
        "valid": [("patient64541", "view1_frontal", {"Pneumonia": "1.0"}),
                  ("patient64542", "view1_frontal", {"Pneumonia": "0.0"})],
        "test": [("patient64741", "view1_frontal", {"Lung Opacity": "1.0"})],
    }  # fmt: skip
    truth = {"1.0": True, "0.0": False, "-1.0": None}
    expected: Expected = {}
    for folder, rows in films.items():
        lines = [",".join(header)]
        for patient, view, labels in rows:
            image = f"{folder}/{patient}/study1/{view}.jpg"
            is_frontal = "frontal" in view
            if is_frontal:
                draw(root, image, len(expected))
                told = {name: truth[text] for name, text in labels.items()}
                expected[image] = (patient, "val" if folder == "valid" else folder, told)
            cells = [labels.get(name, "") for name in names]
            kind = ["Frontal", "AP"] if is_frontal else ["Lateral", ""]
            lines.append(",".join([f"CheXpert-v1.0-small/{image}", "Female", "68", *kind, *cells]))
        (root / f"{folder}.csv").write_text("\n".join(lines) + "\n")
    return expected


FOLDERS: dict[str, Callable[[Path], Expected]] = {"folder": own_folder, "chexpert": chexpert}
