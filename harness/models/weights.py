"""Where a network's first weights come from: a file, or timm's copy of what ImageNet taught.

A file may be safetensors or a pickled state dict of which nothing but tensors is read. Names of
timm and of torchvision's DenseNet are understood, with the prefixes that wrappers leave; what was
loaded, left out or resized is reported.
"""

import logging
import math
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.core.errors import HarnessError, did_you_mean, first_line
from harness.core.files import sha256_of_file

logger = logging.getLogger(__name__)

State = dict[str, Tensor]

WRAPPERS = ("state_dict", "model", "model_state_dict", "net", "network")
PREFIXES = re.compile(r"^(?:(?:module|model|backbone|network|net|densenet121)\.)+")
OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")  # torchvision before 0.2.1
HEAD_IN_SEQUENTIAL = re.compile(r"^(classifier|head|fc)\.0\.")  # Linear, then Sigmoid
MIN_PART_LOADED = 0.5


@dataclass(frozen=True)
class WeightsReport:
    """What became of the tensors of a file; each tuple holds names in timm's spelling.

    Attributes:
        source: File name, and the first digits of its SHA-256.
        loaded: Taken over, resized ones included.
        missing: Left at their random start, the head included where it was dropped.
        unexpected: In the file, but not in the network.
        resized: Position embeddings brought to another grid.
        dropped: In both, but of another shape, such as a head for another number of findings.
    """

    source: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    resized: tuple[str, ...]
    dropped: tuple[str, ...]

    def __str__(self) -> str:
        counts = [
            f"{len(names)} {word}"
            for word in ("missing", "unexpected", "resized", "dropped")
            if (names := getattr(self, word))
        ]
        return "; ".join((f"file {self.source}", ", ".join(counts) or "all tensors fit"))


def load_file(backbone: nn.Module, path: Path) -> WeightsReport:
    """Fill `backbone` from `path` as far as its tensors fit, and say what was done.

    Raises:
        HarnessError: The file cannot be read without running code, or fewer than half of the
            backbone's tensors (the head aside) are in it.
    """
    state = read_state(path)
    source = f"{path.name} sha256:{sha256_of_file(path)[:12]}"
    fitted, report = _fit(backbone, state, source=source)
    _check_enough(backbone, report, path=path, file_names=list(state))
    backbone.load_state_dict(fitted, strict=False)
    logger.info("weights: %s", report)
    for word in ("missing", "unexpected", "resized", "dropped"):
        if names := getattr(report, word):
            logger.info("weights %s: %s", word, _shortened(names))
    return report


# Reading ------------------------------------------------------------------------------------


def read_state(path: Path) -> State:
    """The named tensors in a `.safetensors` file or a pickled state dict; no code is run.

    Raises:
        HarnessError: No such file, not a file of tensors, or a pickle that holds code.
    """
    if not path.is_file():
        raise HarnessError(f"model.weights: no such file {str(path)!r}{_near_files(path)}")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    state = _unwrapped(content)
    if not state:
        raise HarnessError(f"model.weights: {path} holds no named tensors; save a state_dict()")
    return state


def _read_safetensors(path: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load_file as read

    try:
        state: State = read(path)
    except (SafetensorError, OSError) as error:
        raise HarnessError(f"model.weights: {path} is not a safetensors file ({error})") from None
    return state


def _read_pickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise HarnessError(
            f"model.weights: {path} is not a pickle of tensors alone, and others are not opened "
            "since that could run code; save its state_dict() alone, best as .safetensors"
        ) from None
    except Exception as error:  # torch raises a dozen kinds, all of which mean the same here
        raise HarnessError(
            f"model.weights: {path} cannot be read ({type(error).__name__} {first_line(error)})"
        ) from None


def _unwrapped(content: Any) -> State:
    """The tensors of a state dict, taken out of the dicts that training scripts put around it."""
    if not isinstance(content, Mapping):
        return {}
    for name in WRAPPERS:
        if isinstance(content.get(name), Mapping):
            return _unwrapped(content[name])
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


# Fitting ------------------------------------------------------------------------------------


def _fit(backbone: nn.Module, state: State, *, source: str) -> tuple[State, WeightsReport]:
    own = backbone.state_dict()
    fitted: State = {}
    unexpected, resized, dropped = [], [], []
    for file_name, tensor in state.items():
        name = _timm_name(file_name, own)
        if name not in own:
            unexpected.append(name)
        elif tensor.shape == own[name].shape:
            fitted[name] = tensor
        elif (embedding := _resized_embedding(backbone, name, tensor)) is not None:
            fitted[name] = embedding
            resized.append(name)
        else:
            dropped.append(name)
    missing = [name for name in own if name not in fitted and _is_learned(name)]
    return fitted, WeightsReport(
        source=source,
        loaded=tuple(fitted),
        missing=tuple(missing),
        unexpected=tuple(unexpected),
        resized=tuple(resized),
        dropped=tuple(dropped),
    )


def _timm_name(name: str, own: Mapping[str, Tensor]) -> str:
    """`name` without wrappers' prefixes, in the spelling of timm; a name that fits stays."""
    if name in own:
        return name
    name = PREFIXES.sub("", name)
    name = OLD_DENSENET.sub(r"\1\2", name)
    return name if name in own else HEAD_IN_SEQUENTIAL.sub(r"\1.", name)


def _is_learned(name: str) -> bool:
    """Counters of batches are no knowledge, and old files do not have them."""
    return not name.endswith("num_batches_tracked")


def _resized_embedding(backbone: nn.Module, name: str, tensor: Tensor) -> Tensor | None:
    """Position embeddings (1, tokens, width) of a square grid, brought to the backbone's grid."""
    from timm.layers import resample_abs_pos_embed

    own = getattr(backbone, "pos_embed", None)
    if name != "pos_embed" or own is None or tensor.ndim != 3 or tensor.shape[2] != own.shape[2]:
        return None
    grid: tuple[int, int] = backbone.patch_embed.grid_size  # type: ignore[union-attr, assignment]
    num_prefix = own.shape[1] - math.prod(grid)
    if math.isqrt(tensor.shape[1] - num_prefix) ** 2 != tensor.shape[1] - num_prefix:
        return None
    embedding: Tensor = resample_abs_pos_embed(
        tensor, new_size=list(grid), num_prefix_tokens=num_prefix
    )
    return embedding


def _check_enough(
    backbone: nn.Module, report: WeightsReport, *, path: Path, file_names: list[str]
) -> None:
    head = head_prefix(backbone)
    wanted = {
        name
        for name in backbone.state_dict()
        if _is_learned(name) and not (head and name.startswith(head))
    }
    num_loaded = len(wanted.intersection(report.loaded))
    if num_loaded < MIN_PART_LOADED * len(wanted):
        raise HarnessError(
            f"model.weights: {path} fits only {num_loaded} of the {len(wanted)} tensors of the "
            f"network: it has {file_names[0]!r} and {len(file_names) - 1} more, the network has "
            f"{min(wanted)!r}; is model.name the network that it was saved from?"
        )


def head_prefix(backbone: nn.Module) -> str:
    """Name of the backbone's last linear layer with a dot after it, such as `classifier.`."""
    head = backbone.get_classifier()  # type: ignore[operator]
    return next(f"{name}." for name, module in backbone.named_modules() if module is head)


def _shortened(names: tuple[str, ...], num_shown: int = 6) -> str:
    rest = len(names) - num_shown
    return ", ".join(names[:num_shown]) + (f" and {rest} more" if rest > 0 else "")


def _near_files(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f" (nor the folder {str(folder)!r})"
    return did_you_mean(path.name, (item.name for item in folder.iterdir()))


# Pre-trained weights of timm ----------------------------------------------------------------

MAX_WAIT_S = 5.0
HUB_FILE = "model.safetensors"


def fetch_pretrained(hub_id: str) -> Path:
    """The safetensors file of a model on the Hugging Face hub, from the local cache or the net.

    The cache is asked first, and then the hub once and briefly: its own client goes on asking a
    network that is not there for 25 seconds.

    Raises:
        HarnessError: It is not in the cache and cannot be fetched.
    """
    from huggingface_hub import (
        get_hf_file_metadata,
        hf_hub_download,
        hf_hub_url,
        try_to_load_from_cache,
    )
    from huggingface_hub.constants import HF_HUB_CACHE

    cached = try_to_load_from_cache(hub_id, HUB_FILE)
    if isinstance(cached, str):
        return Path(cached)
    try:
        get_hf_file_metadata(hf_hub_url(hub_id, HUB_FILE), timeout=MAX_WAIT_S)
        return Path(hf_hub_download(hub_id, HUB_FILE))
    except Exception as error:  # of the HTTP library, which differs between the hub's versions
        why = f"{type(error).__name__}: {first_line(error)[:100]}"
        raise HarnessError(
            f"model.weights: imagenet ({hub_id}) is not in the cache {HF_HUB_CACHE} and cannot be "
            f"fetched ({why}); run once where there is a network and copy that folder "
            "here (HF_HOME says where it lies), or set model.weights to a file, or to none"
        ) from None
