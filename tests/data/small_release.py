"""A small release of NIH ChestX-ray14, drawn, in folders or in archives."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
LABELS = ("No Finding", "Mass", "Edema|Pleural_Thickening", "Infiltration")


def name_of(number: int) -> str:
    return f"{number // 2 + 1:08d}_{number % 2:03d}.png"


def write_release(root: Path, num_images: int = 8, px: int = 32) -> Path:
    """A release of patients with two images each; every fourth patient is of the test list."""
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines, lists = [HEADER], {"train_val": [], "test": []}
    for number in range(num_images):
        patient = number // 2 + 1
        pixels = rng.integers(0, 256, (px, px), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "images" / name_of(number))
        label, age = LABELS[number % len(LABELS)], 50 + patient
        lines.append(
            f"{name_of(number)},{label},{number % 2},{patient},{age},F,AP,2500,2048,0.1,0.1"
        )
        lists["test" if patient % 4 == 0 else "train_val"].append(name_of(number))
    (root / "Data_Entry_2017_v2020.csv").write_text("\n".join(lines) + "\n")
    for fold, names in lists.items():
        (root / f"{fold}_list.txt").write_text("\n".join(names) + "\n")
    (root / "BBox_List_2017.csv").write_text(
        f"{BOX_HEADER}\n{name_of(1)},Mass,100.5,200,30,40,,,\n{name_of(3)},Infiltrate,1,2,3,4,,,\n"
    )
    return root


def pack(archive: Path, content: Mapping[str, bytes | tarfile.TarInfo]) -> Path:
    """An archive of these files, in this order; a `TarInfo` is a member without content."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as members:
        for name, what in content.items():
            if isinstance(what, tarfile.TarInfo):
                members.addfile(what)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(what)
            members.addfile(member, io.BytesIO(what))
    return archive


def pack_images(root: Path, num_archives: int = 3) -> list[Path]:
    """Move the images of a release into archives, a file after the other in turn."""
    files = sorted((root / "images").iterdir())
    archives = []
    for number in range(num_archives):
        content = {f"images/{file.name}": file.read_bytes() for file in files[number::num_archives]}
        archives.append(pack(root / f"images_{number + 1:03d}.tar.gz", content))
    for file in files:
        file.unlink()
    (root / "images").rmdir()
    return archives
