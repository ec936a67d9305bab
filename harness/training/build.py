"""`build`: the network of a recipe, where it will be used."""

import torch

from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.core.seeds import derive_seed
from harness.data.manifest import read_manifest
from harness.models.zoo import Network, build_network
from harness.training.runtime import resolve_device


def build(recipe: Recipe, machine: Machine) -> Network:
    """The network of a recipe on the machine's device, as it is before training."""
    network = build_network(
        recipe.model,
        num_findings=len(read_manifest(machine.store).findings),
        input_px=recipe.data.input_px,
        seed=derive_seed(recipe.seed, "weights"),
    )
    return placed(network, resolve_device(machine))


def placed(network: Network, device: torch.device) -> Network:
    """The network on a device, its weights laid out as its convolutions there want them.

    So it gives the same bits wherever it is built: in training, in a bundle, for a measurement.
    """
    network = network.to(device)
    if device.type == "cuda":  # else each step would turn the weights of its convolutions
        network = network.to(memory_format=torch.channels_last)
    return network
