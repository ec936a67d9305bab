"""`build_step`: the step of a run by the means that it has."""

from dataclasses import replace

from torch import optim

from harness.models.zoo import Network
from harness.training.compiled import find_compiled
from harness.training.graphs import GraphedStep
from harness.training.losses import Loss
from harness.training.means import Means, unwatched
from harness.training.step import Step, StepCall


def build_step(network: Network, optimizer: optim.Optimizer, loss: Loss, means: Means) -> StepCall:
    """A step that is compiled, recorded, both or neither; a compiled network is known already."""
    forward = find_compiled(network) if means.does_compile else None
    if not means.has_graphs:
        return Step(network, optimizer, loss, means, forward=forward)
    recorded = Step(network, optimizer, loss, replace(means, watch=unwatched), forward=forward)
    return GraphedStep(recorded, means.watch)
