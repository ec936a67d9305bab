"""What the trainer does beside training: `tests/test_trial.py` has whole runs."""

import pytest
import torch
from torch import Tensor

from harness.core.recipe import Recipe
from harness.data.batches import Batches
from harness.models.zoo import Network, densenet_mini
from harness.training.trainer import parts_of_an_epoch, predict


class Narrow(Network):
    """A network with room for only so many images at once."""

    room = 0

    def forward(self, image_B1HW: Tensor) -> Tensor:
        if len(image_B1HW) > self.room:
            raise MemoryError(f"{len(image_B1HW)} images")
        return super().forward(image_B1HW)


@pytest.fixture
def network() -> Narrow:
    torch.manual_seed(0)
    return Narrow(densenet_mini(num_classes=14, img_size=32), weights_note="random")


@pytest.fixture
def batches(toy_store) -> Batches:
    return Batches(toy_store, torch.arange(50).numpy(), batch_size=20, device="cpu")


RECIPE = Recipe().with_values({"data.resize_px": 32, "data.input_px": 32})


def test_evaluation_takes_fewer_images_at_once_where_they_do_not_fit(network, batches) -> None:
    network.room = 20
    logit_NL, label_NL = predict(network, batches, RECIPE)
    network.room = 3
    again_NL, same_NL = predict(network, batches, RECIPE)
    assert logit_NL.shape == (50, 14)
    torch.testing.assert_close(again_NL, logit_NL, rtol=1e-5, atol=1e-6)
    assert torch.equal(same_NL, label_NL)


def test_one_image_that_does_not_fit_is_the_end(network, batches) -> None:
    with pytest.raises(MemoryError, match="1 images"):
        predict(network, batches, RECIPE)


@pytest.mark.parametrize(
    ("num_steps", "num_parts", "ends"),
    [
        (8, 1, {}),
        (8, 4, {2: 1, 4: 2, 6: 3}),
        (10, 4, {3: 1, 5: 2, 8: 3}),  # a part is over once all of it is trained
        (2, 4, {1: 2}),  # the parts 1 and 2 end at once, the part 3 with the epoch
        (1, 3, {}),
    ],
)
def test_steps_after_which_parts_of_an_epoch_are_trained(num_steps, num_parts, ends) -> None:
    assert parts_of_an_epoch(num_steps, num_parts) == ends
