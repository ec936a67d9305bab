"""The files of NIH ChestX-ray14 as the NIH Clinical Center gives them, and how they are fetched.

Lengths and MD5s of the archives: the release's own FAQ, question 7. Of the label files no direct
link is known: where no mirror is named, a person has to fetch them from the release's folder.
"""

from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import write_text
from harness.core.progress import Progress, ignore
from harness.data.download import NUM_AT_ONCE, RemoteFile, download
from harness.data.http_ranges import TERMS, Terms
from harness.data.nih import ATTRIBUTION, BOX_LIST, LABEL_TABLE, LABEL_TABLES
from harness.data.nih_counts import NUM_BOXES, NUM_IMAGES, NUM_OF_FOLD
from harness.data.nih_tables import (
    LISTS,
    label_version,
    read_boxes,
    read_image_list,
    read_label_table,
)

FOLDER_URL = "https://nihcc.app.box.com/v/ChestXray-NIHCC"
BOX_URL = "https://nihcc.box.com/shared/static"
ARCHIVES = (
    ("images_001.tar.gz", "vfk49d74nhbxq3nqjg0900w5nvkorp5c", 2008470987,
     "fe8ed0a6961412fddcbb3603c11b3698"),
    ("images_002.tar.gz", "i28rlmbvmfjbl8p2n3ril0pptcmcu9d1", 3952623504,
     "ab07a2d7cbe6f65ddd97b4ed7bde10bf"),
    ("images_003.tar.gz", "f1t00wrtdk94satdfb9olcolqx20z2jp", 3929234850,
     "2301d03bde4c246388bad3876965d574"),
    ("images_004.tar.gz", "0aowwzs5lhjrceb3qp67ahp0rd1l1etg", 3838903983,
     "9f1b7f5aae01b13f4bc8e2c44a4b8ef6"),
    ("images_005.tar.gz", "v5e3goj22zr6h8tzualxfsqlqaygfbsn", 3935496531,
     "1861f3cd0ef7734df8104f2b0309023b"),
    ("images_006.tar.gz", "asi7ikud9jwnkrnkj99jnpfkjdes7l6l", 3986301172,
     "456b53a8b351afd92a35bc41444c58c8"),
    ("images_007.tar.gz", "jn1b4mw4n6lnh74ovmcjb8y48h8xj07n", 4016328426,
     "1075121ea20a137b87f290d6a4a5965e"),
    ("images_008.tar.gz", "tvpxmn7qyrgl0w8wfh9kqfjskv6nmm1j", 4018347353,
     "b61f34cec3aa69f295fbb593cbd9d443"),
    ("images_009.tar.gz", "upyy3ml7qdumlgk2rfcvlb9k6gvqq2pj", 4111327929,
     "442a3caa61ae9b64e61c561294d1e183"),
    ("images_010.tar.gz", "l6nilvfa9cg3s28tqv1qc1olm3gnz54p", 4181556296,
     "09ec81c4c31e32858ad8cf965c494b74"),
    ("images_011.tar.gz", "hhq8fkdgvcari67vfhs7ppg2w6ni4jze", 4187084020,
     "499aefc67207a5a97692424cf5dbeed5"),
    ("images_012.tar.gz", "ioqwiy20ihqwyr8pf4c24eazhh281pbu", 2914187733,
     "dc9fda1757c2de0032b63347a7d2895c"),
)  # fmt: skip
"""Name, name in the NIH's share, bytes and MD5."""

ATTRIBUTION_FILE = "ATTRIBUTION.txt"
TERMS_OF_USE = (
    "The NIH Clinical Center puts no restriction on the use of these images, and asks for a link "
    "to its download site, an acknowledgement and a citation of the paper."
)


@dataclass(frozen=True)
class LabelFiles:
    """The label files in a folder: what is to be said of those that are there, and the absent."""

    found: tuple[str, ...]
    absent: tuple[str, ...]


def download_nih(
    folder: Path,
    *,
    base: str = "",
    num_at_once: int = NUM_AT_ONCE,
    terms: Terms = TERMS,
    progress: Progress = ignore,
) -> LabelFiles:
    """Have the twelve archives and the attribution in `folder`, and look for the label files.

    Args:
        base: Address of a folder that holds the archives under their own names; by default the
            NIH's share.

    Raises:
        HarnessError: See `download`; or a label file that is there is not the release's.
    """
    files = [
        RemoteFile(name, num_bytes, md5, address_of(name, share_name, base))
        for name, share_name, num_bytes, md5 in ARCHIVES
    ]
    labels = check_labels(folder)
    download(files, folder, num_at_once=num_at_once, terms=terms, progress=progress)
    write_text(folder / ATTRIBUTION_FILE, f"{ATTRIBUTION}\n\n{TERMS_OF_USE}\n")
    return labels


def address_of(name: str, share_name: str, base: str) -> str:
    """Where an archive is: in the NIH's share, or under its own name in a mirror."""
    return f"{base.rstrip('/')}/{name}" if base else f"{BOX_URL}/{share_name}.gz"


def check_labels(folder: Path) -> LabelFiles:
    """What there is of label table, lists and boxes, counted.

    Raises:
        HarnessError: One of them is not the release's.
    """
    found, absent = [], []
    tables = sorted(folder.glob(LABEL_TABLES))
    for path in tables:
        table, _ = read_label_table(path)
        _expect(path, len(table), NUM_IMAGES)
        found.append(f"{path.name}: {NUM_IMAGES} images, labels {label_version(table, path)}")
    if not tables:
        absent.append(LABEL_TABLE)
    counts = {LISTS[fold]: (read_image_list, count) for fold, count in NUM_OF_FOLD.items()}
    for name, (read, count) in (counts | {BOX_LIST: (read_boxes, NUM_BOXES)}).items():
        if not (folder / name).exists():
            absent.append(name)
            continue
        _expect(folder / name, len(read(folder / name)), count)
        found.append(f"{name}: {count} {'boxes' if name == BOX_LIST else 'images'}")
    return LabelFiles(tuple(found), tuple(absent))


def _expect(path: Path, found: int, expected: int) -> None:
    if found != expected:
        raise HarnessError(
            f"{path}: has {found} rows, the release's has {expected}; fetch it again from "
            f"{FOLDER_URL}"
        )
