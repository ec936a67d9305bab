import os
import re
import subprocess
import sys
from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from harness.core.errors import HarnessError
from harness.core.files import sha256_of_file
from harness.core.recipe import ModelRecipe
from harness.models.weights import load_file, read_state
from harness.models.zoo import Network, build_network

State = dict[str, Tensor]


def network(name: str, weights: Path | str = "none", *, input_px: int = 64) -> Network:
    recipe = ModelRecipe(name=name, weights=str(weights))
    return build_network(recipe, num_findings=14, input_px=input_px, seed=0)


def densenet(num_classes: int = 14) -> nn.Module:
    return timm.create_model("densenet121", num_classes=num_classes)


def assert_equal(actual: State, expected: State, *, but: tuple[str, ...] = ()) -> None:
    different = [key for key in expected if not torch.equal(actual[key], expected[key])]
    assert sorted(different) == sorted(but)


# What is accepted ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["densenet_mini", "vit_mini"])
def test_a_run_s_weights_come_back(name: str, tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    state = {key: value + 1 for key, value in network(name).backbone.state_dict().items()}
    save_file(state, path)
    loaded = network(name, path)
    assert_equal(loaded.backbone.state_dict(), state)
    digest = sha256_of_file(path)[:12]
    assert loaded.weights_note == f"file best.safetensors sha256:{digest}; all tensors fit"


def old_torchvision(state: State) -> State:
    """As torchvision wrote it before 0.2.1: `norm.1`, and no counters of batches."""
    return {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): value
        for key, value in state.items()
        if not key.endswith("num_batches_tracked")
    }


WRITERS = {
    "plain.pth": lambda state: state,
    "wrapped.ckpt": lambda state: {"epoch": 3, "state_dict": state},
    "wrapped_twice.pt": lambda state: {"model": {"state_dict": state}},
    "prefixed.pth": lambda state: {f"module.model.{key}": state[key] for key in state},
    "chexnet.pth.tar": lambda state: {
        "state_dict": {
            "module.densenet121." + key.replace("classifier.", "classifier.0."): value
            for key, value in old_torchvision(state).items()
        }
    },
}


@pytest.mark.parametrize("file_name", list(WRITERS))
def test_torchvision_s_densenet_is_understood(file_name: str, tmp_path: Path) -> None:
    state = torchvision.models.densenet121(weights=None, num_classes=14).state_dict()
    torch.save(WRITERS[file_name](state), tmp_path / file_name)
    backbone = densenet()
    report = load_file(backbone, tmp_path / file_name)
    assert not report.missing
    assert not report.unexpected
    assert not report.dropped
    assert_equal(backbone.state_dict(), state)


def test_the_same_numbers_come_out_as_of_torchvision(tmp_path: Path) -> None:
    theirs = torchvision.models.densenet121(weights=None, num_classes=14).eval()
    torch.save(theirs.state_dict(), tmp_path / "tv.pth")
    ours = densenet().eval()
    load_file(ours, tmp_path / "tv.pth")
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), theirs(image))


def test_a_head_of_another_size_is_dropped_and_reported(tmp_path: Path) -> None:
    state = densenet(num_classes=1000).state_dict()
    save_file(state, tmp_path / "in1k.safetensors")
    backbone = densenet()
    before = backbone.classifier.weight.clone()
    report = load_file(backbone, tmp_path / "in1k.safetensors")
    assert set(report.dropped) == set(report.missing) == {"classifier.weight", "classifier.bias"}
    assert torch.equal(backbone.classifier.weight, before)
    assert "2 missing, 2 dropped" in str(report)


def test_unexpected_and_missing_tensors_are_reported(tmp_path: Path) -> None:
    state = densenet().state_dict()
    del state["features.norm5.weight"]
    state["projector.weight"] = torch.ones(2)
    save_file(state, tmp_path / "odd.safetensors")
    report = load_file(densenet(), tmp_path / "odd.safetensors")
    assert report.missing == ("features.norm5.weight",)
    assert report.unexpected == ("projector.weight",)
    assert str(report).endswith("; 1 missing, 1 unexpected")


def test_position_embeddings_of_another_grid_are_resized(tmp_path: Path) -> None:
    """A pattern that rises evenly from left to right still does."""
    large = network("vit_mini", input_px=256).backbone.state_dict()
    num_prefix = large["pos_embed"].shape[1] - 16 * 16
    ramp = ((torch.arange(16) + 0.5) / 16).repeat(16, 1).flatten()
    large["pos_embed"][0, num_prefix:, 0] = ramp
    save_file(large, tmp_path / "large.safetensors")
    small = network("vit_mini", tmp_path / "large.safetensors", input_px=128)
    assert "1 resized" in small.weights_note
    pos_embed = small.backbone.pos_embed.detach()
    assert pos_embed.shape[1] == num_prefix + 8 * 8
    inner = pos_embed[0, num_prefix:, 0].reshape(8, 8)[:, 2:-2]
    expected = ((torch.arange(8) + 0.5) / 8)[2:-2].expand(8, 4)
    torch.testing.assert_close(inner, expected, atol=0.01, rtol=0)
    assert torch.equal(pos_embed[0, :num_prefix], large["pos_embed"][0, :num_prefix]), (
        "the class token has no place"
    )
    assert_equal(small.backbone.state_dict(), {**large, "pos_embed": pos_embed})


# What is refused ----------------------------------------------------------------------------


class Code:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "code_was_run"
    torch.save({"state_dict": {"a": torch.ones(1)}, "args": Code(trace)}, tmp_path / "evil.pt")
    with pytest.raises(HarnessError, match="not a pickle of tensors alone") as raised:
        read_state(tmp_path / "evil.pt")
    assert "\n" not in str(raised.value)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("file_name", "content", "said"),
    [
        ("a.safetensors", b"no safetensors", "not a safetensors file"),
        ("a.pth", b"no pickle at all", "not a pickle of tensors"),
        ("a.pt", b"", "cannot be read"),
    ],
)
def test_other_files_are_refused(file_name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / file_name).write_bytes(content)
    with pytest.raises(HarnessError, match=said) as raised:
        read_state(tmp_path / file_name)
    assert "\n" not in str(raised.value)


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"epoch": 3}}, tmp_path / "a.pt")
    with pytest.raises(HarnessError, match="no named tensors"):
        read_state(tmp_path / "a.pt")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "dannynet.pth").touch()
    with pytest.raises(HarnessError, match=r"did you mean 'dannynet\.pth'"):
        network("densenet_mini", tmp_path / "danynet.pth")
    with pytest.raises(HarnessError, match="nor the folder"):
        network("densenet_mini", tmp_path / "elsewhere" / "a.pth")


def test_another_network_s_weights_are_refused(tmp_path: Path) -> None:
    save_file(network("vit_mini").backbone.state_dict(), tmp_path / "vit.safetensors")
    with pytest.raises(HarnessError, match="fits only 0 of the ") as raised:
        network("densenet_mini", tmp_path / "vit.safetensors")
    assert "\n" not in str(raised.value)


def test_under_half_of_the_tensors_is_refused_and_nothing_is_loaded(tmp_path: Path) -> None:
    backbone = network("densenet_mini").backbone
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    names = [key for key in before if not key.startswith("classifier")]
    few = {key: before[key] + 1 for key in names[: len(names) // 3]}
    save_file(few, tmp_path / "few.safetensors")
    with pytest.raises(HarnessError, match="fits only"):
        load_file(backbone, tmp_path / "few.safetensors")
    assert_equal(backbone.state_dict(), before)


# ImageNet -----------------------------------------------------------------------------------

DENSENET, VIT = "densenet121.tv_in1k", "vit_small_patch16_224.augreg_in1k"

BUILD = f"""
import time
from harness.core.errors import HarnessError
from harness.core.recipe import ModelRecipe
from harness.models.zoo import build_network

recipe = ModelRecipe(name="{DENSENET}", weights="imagenet")
start = time.monotonic()
try:
    build_network(recipe, num_findings=14, input_px=64, seed=0)
except HarnessError as error:
    print(time.monotonic() - start, error)
"""


def assert_says_what_to_do(said: str) -> None:
    assert said.startswith(f"model.weights: imagenet (timm/{DENSENET}) is not in the cache")
    assert "copy that folder" in said
    assert "\n" not in said


def test_without_a_network_it_says_within_seconds_what_to_do(tmp_path: Path) -> None:
    """In a fresh process, since the hub's settings are read when it is imported."""
    removed = ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
    kept = {key: value for key, value in os.environ.items() if key not in removed}
    finished = subprocess.run(
        [sys.executable, "-c", BUILD],
        env={**kept, "HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    duration_s, _, said = finished.stdout.strip().partition(" ")
    assert float(duration_s) < 20
    assert_says_what_to_do(said)


@pytest.fixture
def offline_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_an_offline_hub_with_an_empty_cache(offline_cache: Path) -> None:
    with pytest.raises(HarnessError) as raised:
        network(DENSENET, "imagenet")
    assert_says_what_to_do(str(raised.value))
    assert str(offline_cache) in str(raised.value)


def fill_cache(cache: Path, hub_id: str, state: State) -> Path:
    """Lay a file out as the hub's client does."""
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    path = repository / "snapshots" / ("0" * 40) / "model.safetensors"
    path.parent.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    save_file(state, path)
    return path


@pytest.mark.parametrize(("name", "head"), [(DENSENET, "classifier"), (VIT, "head")])
def test_a_filled_cache_needs_no_network(name: str, head: str, offline_cache: Path) -> None:
    """The file is for 1000 classes and, the ViT's, for 224 px: head and grid are made to fit."""
    state = timm.create_model(name.partition(".")[0]).state_dict()
    path = fill_cache(offline_cache, f"timm/{name}", state)
    built = network(name, "imagenet")
    assert (
        built.weights_note == f"imagenet timm/{name} sha256:{sha256_of_file(path)[:12]}; new head"
    )
    own = built.backbone.state_dict()
    changed = {f"{head}.weight", f"{head}.bias", "pos_embed"}
    assert own[f"{head}.weight"].shape[0] == 14
    assert_equal(own, {key: state[key] for key in state if key not in changed})
