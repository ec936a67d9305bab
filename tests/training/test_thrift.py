"""The same numbers at every memory level, and less kept."""

import math

import pytest
import timm
import torch
from torch import Tensor, nn

from harness.core.memory import MemoryFloorError, MemoryLevel, MemoryShortage
from harness.core.recipe import Recipe
from harness.core.records import FailureReason
from harness.core.run_dir import RunDirectory
from harness.data.batches import Batches
from harness.models.zoo import Network, densenet_mini, vit_mini
from harness.training.means import Means
from harness.training.parts import Parts
from harness.training.thrift import (
    Thrift,
    has_batch_statistics,
    recompute_activations,
    repeated_blocks,
    statistics_of_one_forward,
)
from harness.training.trainer import Trainer

NUM_STEPS = 3
BATCH_SIZE = 10
"""Divided by 2 it gives whole pieces, by 4 three of 3 and one of 1."""


class Block(nn.Module):
    """Of a kind that knows nothing of recomputing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        out: Tensor = image_BCHW + torch.relu(self.norm(self.conv(image_BCHW)))
        return nn.functional.dropout(out, 0.2, self.training)


class Plain(nn.Module):
    """A network without timm's `set_grad_checkpointing`."""

    pretrained_cfg = {"mean": (0.5,) * 3, "std": (0.25,) * 3}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=4)
        self.blocks = nn.Sequential(*(Block() for _ in range(3)))
        self.head = nn.Linear(4, 14)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        logit_BL: Tensor = self.head(self.blocks(self.stem(image_BCHW)).mean((2, 3)))
        return logit_BL


def vit() -> nn.Module:
    """A transformer without batch normalization."""
    return timm.create_model("test_vit", num_classes=14, img_size=32)


BACKBONES = {
    "densenet_mini": lambda: densenet_mini(num_classes=14, img_size=32),
    "vit_mini": lambda: vit_mini(num_classes=14, img_size=32, drop_path_rate=0.3),
    "resnet": lambda: timm.create_model("test_resnet", num_classes=14),
    "plain": Plain,
}


def level(number: int) -> MemoryLevel:
    memory = MemoryLevel()
    for _ in range(number):
        memory = memory.after(MemoryShortage(why="too much", reason=FailureReason.OUT_OF_MEMORY))
    return memory


@pytest.fixture
def train(toy_store, tmp_path):
    """Takes a few steps at a memory level: the trained network, its gradients, and the losses."""

    def train_at(number, create, num_steps=NUM_STEPS) -> tuple[Network, list[Tensor], list[float]]:
        torch.manual_seed(0)
        network = Network(create(), weights_note="random")
        values = {"optim.name": "sgd", "optim.lr": 0.1, "data.resize_px": 32, "data.input_px": 32}
        recipe = Recipe().with_values(values | {"train.batch_size": BATCH_SIZE})
        index_N = torch.arange(60).numpy()
        batches = Batches(toy_store, index_N, batch_size=BATCH_SIZE, device="cpu", seed=1)
        trainer = Trainer(
            recipe,
            network,
            parts=Parts(batches, batches),
            run=RunDirectory(tmp_path),
            means=Means(Thrift.of(network.backbone, BATCH_SIZE, level(number))),
        )
        network.train()
        losses = []
        for step, (image_B1HW, label_BL) in enumerate(batches.epoch(1)):
            if step == num_steps:
                break
            trainer.schedule.before_step(step)
            losses.append(float(trainer.step(image_B1HW / 255, label_BL)))
        return network, [weight.grad for weight in network.parameters()], losses

    return train_at


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_batch_in_pieces_gives_the_gradients_and_weights_of_the_whole(train, number) -> None:
    whole, whole_gradients, whole_losses = train(0, vit)
    cut, cut_gradients, cut_losses = train(number, vit)
    assert cut_losses == pytest.approx(whole_losses, rel=1e-5)
    largest = max(float(gradient.abs().max()) for gradient in whole_gradients)
    for ours, theirs in zip(cut_gradients, whole_gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 * largest)
    for ours, theirs in zip(cut.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    start = train(0, vit, num_steps=0)[0]
    for ours, theirs in zip(whole.parameters(), start.parameters(), strict=True):
        assert float((ours - theirs).detach().abs().max()) > 1e-5


@pytest.mark.parametrize("name", BACKBONES)
def test_recomputing_changes_no_bit_of_weights_and_statistics(train, name) -> None:
    kept, kept_gradients, kept_losses = train(0, BACKBONES[name])
    again, again_gradients, again_losses = train(1, BACKBONES[name])
    assert again_losses == kept_losses
    for ours, theirs in zip(again_gradients, kept_gradients, strict=True):
        assert torch.equal(ours, theirs)
    state, expected = again.state_dict(), kept.state_dict()
    assert state.keys() == expected.keys()
    assert [key for key in state if not torch.equal(state[key], expected[key])] == []
    counts = [int(value) for key, value in state.items() if key.endswith("num_batches_tracked")]
    assert set(counts) == {NUM_STEPS}


@pytest.mark.parametrize("name", BACKBONES)
def test_recomputing_keeps_less(name) -> None:
    image_BCHW = torch.rand(4, 3, 32, 32)

    def bytes_kept(backbone: nn.Module) -> int:
        kept: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            out = backbone(image_BCHW)
        del out
        weights = {weight.untyped_storage().data_ptr() for weight in backbone.parameters()}
        return sum(size for pointer, size in kept.items() if pointer not in weights)

    plain, thrifty = BACKBONES[name](), BACKBONES[name]()
    recompute_activations(thrifty)
    assert bytes_kept(thrifty) < 0.8 * bytes_kept(plain)


def test_without_the_guard_statistics_would_move_twice() -> None:
    network = BACKBONES["densenet_mini"]()
    recompute_activations(network)
    counts = []
    for guard in (False, True):
        out = network(torch.rand(4, 3, 32, 32)).sum()
        if guard:
            with statistics_of_one_forward(network):
                out.backward()
        else:
            out.backward()
        name = "features.denseblock1.denselayer1.norm1.num_batches_tracked"
        counts.append(int(network.state_dict()[name]))
    assert counts == [2, 3]


def test_what_the_levels_ask_of_a_network_without_batch_statistics() -> None:
    asked = [Thrift.of(vit(), 20, level(number)) for number in range(6)]
    assert [thrift.num_at_once for thrift in asked] == [20, 10, 5, 3, 2, 1]
    assert [thrift.eval_batch_size for thrift in asked] == [64, 32, 16, 8, 4, 2]
    assert not any(thrift.does_recompute for thrift in asked)


def test_what_the_levels_ask_of_a_network_with_batch_statistics() -> None:
    backbone = BACKBONES["densenet_mini"]()
    assert Thrift.of(backbone, 20, level(0)) == Thrift(num_at_once=20)
    assert Thrift.of(backbone, 20, level(1)) == Thrift(
        20, does_recompute=True, eval_batch_size=32, does_copy=False
    )


@pytest.mark.parametrize(("name", "batch_size"), [("vit", 1), ("vit", 20), ("densenet_mini", 20)])
def test_below_the_floor_it_is_said_what_was_tried(name, batch_size) -> None:
    backbone = vit() if name == "vit" else BACKBONES[name]()
    floor = math.ceil(math.log2(batch_size)) if name == "vit" else 1
    Thrift.of(backbone, batch_size, level(floor))
    tried = "one image at a time" if name == "vit" else "activations recomputed"
    with pytest.raises(MemoryFloorError, match=rf"{tried}.*too much.*take a GPU") as caught:
        Thrift.of(backbone, batch_size, level(floor + 1))
    assert caught.value.reason is FailureReason.OUT_OF_MEMORY


@pytest.mark.parametrize(
    ("create", "expected"),
    [
        (vit, False),
        (BACKBONES["vit_mini"], True),  # in its stem
        (BACKBONES["densenet_mini"], True),
        (lambda: nn.BatchNorm1d(3, track_running_stats=False), True),
        (lambda: nn.InstanceNorm2d(3), False),
        (lambda: nn.GroupNorm(1, 3), False),
    ],
)
def test_batch_statistics_are_found_wherever_they_are(create, expected) -> None:
    assert has_batch_statistics(create()) is expected


def test_repeated_blocks_are_the_outermost_that_hold_more_than_a_layer() -> None:
    plain = Plain()
    assert repeated_blocks(plain) == list(plain.blocks)
    assert repeated_blocks(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))) == []
