"""What weights have seen: which X-rays they were trained on, and whether a test set is among them.

ImageNet holds no X-rays. The weights of our own runs say in their file's header which source
and split they come from, and what the weights that they started from had seen. Of any other file
somebody has to say it, in a file beside it: `chexnet.pth.seen.json`, such as

    [{"source": "nih", "split": "dannynet_2pct", "split_sha256": "62bbf3168b27"}]

with a split and the hash that `harness data show STORE --split NAME` prints, where that is known,
or `[]` where it has seen no X-rays.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from harness.core.errors import HarnessError
from harness.core.recipe import IMAGENET, RANDOM, Frozen, problems_of
from harness.data.manifest import StoreManifest
from harness.data.splits import Split, make_split
from harness.data.store import ImageStore

UNKNOWN = "unknown"
KEY = "seen"
SAME_IMAGES = {"chestmnist": "nih"}
"""Sources whose images are another's."""


class Seen(Frozen):
    """Images that weights were trained on: the train and val parts of a split of a source.

    Attributes:
        source: As in a store's manifest, or `unknown`.
        split: Name of the split; empty where it is not known, or where there was none.
        split_sha256: Hash of the split, or its first 8 or more digits. Without it the split is not
            known: releases and parts of them have splits of one name.
    """

    source: str
    split: str = ""
    split_sha256: str = Field(default="", pattern=r"^([0-9a-f]{8,64})?$")


NAMED: dict[str, tuple[Seen, ...]] = {
    RANDOM: (),
    IMAGENET: (),
}
"""What the weights that have a name of their own in recipes have seen."""

_Told = TypeAdapter(tuple[Seen, ...])


def seen_by(weights: str) -> tuple[Seen, ...]:
    """What the weights of a recipe (`model.weights`) have seen; empty for no X-rays.

    Raises:
        HarnessError: The file beside the weights is not of the form above.
    """
    if weights in NAMED:
        return NAMED[weights]
    path = Path(weights).expanduser()
    beside = _beside(path)
    if (told := _header(path).get(KEY)) is not None:
        return _parsed(told, path)
    if beside.is_file():
        return _parsed(beside.read_text(encoding="utf-8", errors="replace"), beside)
    return (Seen(source=UNKNOWN),)


def files_of(weights: str) -> tuple[Path, ...]:
    """The files that a run needs to start from the weights of a recipe and to say what they saw.

    None for weights that have a name, one for a file of weights, and the file beside it where there
    is one.
    """
    if weights in NAMED:
        return ()
    path = Path(weights).expanduser()
    return (path, _beside(path)) if _beside(path).is_file() else (path,)


def seen_metadata(weights: str, split: Split, manifest: StoreManifest) -> dict[str, str]:
    """What stands in the header of weights that started from `weights` and saw a split's train.

    The store's fingerprint is not among it: that depends on the test set, on which no byte of the
    weights may. The run's recipe names the store.
    """
    own = Seen(source=manifest.source, split=split.name, split_sha256=split.sha256)
    seen = dict.fromkeys((own, *seen_by(weights)))  # each once, in order
    return {KEY: _Told.dump_json(tuple(seen)).decode()}


def contamination(weights: str, split: Split, store: ImageStore) -> str | None:
    """Why a split's test set is no test of a network that starts from `weights`; None where it is.

    Weights that saw the train part of the same split are clean. Those of another split of the same
    source are clean where that split can be made anew and shares no patient with the test set.

    Args:
        weights: `model.weights` of a recipe.
        split: The split whose test set is to be scored.
        store: The store of `split`.
    """
    for seen in seen_by(weights):
        if reason := _overlap(seen, split, store):
            return f"{Path(weights).name} {reason}"
    return None


def _overlap(seen: Seen, split: Split, store: ImageStore) -> str | None:
    """Why weights that have seen this are not tested by the test set; None where they are."""
    if seen.source == UNKNOWN:
        return (
            "does not say which X-rays it was trained on; if you know it, write it into a file of "
            "its name with .seen.json after it"
        )
    if _images_of(seen.source) != _images_of(store.manifest.source):
        return None
    if _is_hash_of(seen, split):
        return None
    theirs = _made_anew(seen, store)
    if theirs is None:
        of = f"the split {seen.split!r} of {seen.source}" if seen.split else seen.source
        return f"was trained on {of}, in which images of this test set may be"
    patients = store.table["patient"]
    trained_on = set(patients.iloc[theirs.train]) | set(patients.iloc[theirs.val])
    tested = set(patients.iloc[split.test])
    num_shared = len(trained_on & tested)
    if not num_shared:
        return None
    return f"was trained on {num_shared:,} of the {len(tested):,} test patients ({seen.split})"


def _images_of(source: str) -> str:
    return SAME_IMAGES.get(source, source)


def _made_anew(seen: Seen, store: ImageStore) -> Split | None:
    """The split that was trained on, where this store has the same images."""
    try:
        theirs = make_split(store, seen.split)
    except HarnessError:  # a name of nothing, or a split of other images
        return None
    return theirs if _is_hash_of(seen, theirs) else None


def _is_hash_of(seen: Seen, split: Split) -> bool:
    return bool(seen.split_sha256) and split.sha256.startswith(seen.split_sha256)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.seen.json")


def _header(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file; nothing of any other, whose reading complains itself."""
    if path.suffix != ".safetensors" or not path.is_file():
        return {}
    try:
        with safe_open(path, framework="numpy") as file:
            metadata: Any = file.metadata()
    except (SafetensorError, OSError):
        return {}
    return metadata or {}


def _parsed(text: str, path: Path) -> tuple[Seen, ...]:
    try:
        return _Told.validate_python(json.loads(text))
    except ValidationError as error:
        where, what = problems_of(error)[0]
        raise HarnessError(f"{path}: what the weights have seen: {where}: {what}") from None
    except ValueError as error:
        raise HarnessError(f"{path}: what the weights have seen is not JSON ({error})") from None
