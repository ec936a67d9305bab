"""What a sound search space still does that its author can hardly want.

`space_checks` refuses what cannot be searched; this module warns of what would be searched in vain.
It reads the space alone: whether a network of the zoo takes it is seen when the search begins.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from harness.core.parameters import Choice, Parameter, show_value
from harness.core.space import SearchSpace, find_space, shipped_spaces
from harness.core.space_checks import corners, possible
from harness.core.yaml_file import Place, load_yaml

WORKS_WITH: dict[str, tuple[str, tuple[Any, ...]]] = {
    "augment.crop_scale_min": ("augment.crop", (True,)),
    "optim.momentum": ("optim.name", ("sgd",)),
    "schedule.patience": ("schedule.name", ("plateau",)),
    "schedule.factor": ("schedule.name", ("plateau",)),
    "schedule.min_lr": ("schedule.name", ("plateau", "cosine")),
}
"""What a parameter needs for it to do anything. Without it training runs, the value unread.

The loss's `gamma` and `alpha` are missing here: with a loss that has none a recipe is not valid.
"""

ON_LOG_SCALE = ("optim.lr", "optim.weight_decay", "schedule.min_lr")
WIDEST_LINEAR = 10
"""A linear range draws nine of ten values from its top decade."""

WITHOUT_DROP_PATH = ("densenet", "vgg")
"""Networks of timm that take no `drop_path_rate` (1.0.31): a run that asks for it fails."""


class LintWarning(NamedTuple):
    """One thing to look at, and where it stands in the file of the space."""

    place: Place
    message: str


def lint_space(space: SearchSpace) -> list[LintWarning]:
    """Everything doubtful in a space, in the order of its parts; most spaces have nothing."""
    return [
        *_fixed(space),
        *_without_effect(space),
        *_linear(space),
        *_without_published_value(space, published_spaces()),
        *_schedule(space),
        *_scheduler(space),
    ]


def lint_file(path_or_name: str) -> list[str]:
    """The warnings about a space's file, a `FILE:LINE: warning: message` each, by line.

    Raises:
        HarnessError: There is no such space, or it is not sound.
    """
    file = load_yaml(find_space(path_or_name))
    found = lint_space(SearchSpace.load(file.path))
    lines = sorted((file.line(place), message) for place, message in found)
    return [f"{file.path}:{line}: warning: {message}" for line, message in lines]


@cache
def published_spaces() -> tuple[SearchSpace, ...]:
    """The shipped spaces whose default point is a published recipe."""
    files = shipped_spaces().values()
    marked = [path for path in files if load_yaml(path).tree.get("published")]
    return tuple(map(SearchSpace.load, marked))


Found = Iterator[LintWarning]


def _fixed(space: SearchSpace) -> Found:
    """A range of one value is not searched."""
    for path, parameter in space.parameters.items():
        if len(set(parameter.ends)) == 1:
            value = show_value(parameter.default)
            todo = "widen the range, or write it into `base`"
            yield LintWarning(("space", path), f"{path} can only be {value}: {todo}")


def _without_effect(space: SearchSpace) -> Found:
    """A parameter whose effect is switched off at all, or some, points of the space."""
    for path, (switch, on) in WORKS_WITH.items():
        if path not in space.parameters:
            continue
        points = [point for point in corners(space.base, space.parameters) if path in point]
        settings = [_value(space, switch, point) for point in points]
        off = sorted({show_value(value) for value in settings if value not in on})
        if not off:
            continue
        why = f"{path} does nothing where {switch} is {' or '.join(off)}"
        if all(value not in on for value in settings):
            what = ", as it always is here: it would be searched for nothing"
        else:
            wanted = [value for value in on if value in settings]
            listed = str(wanted[0]) if len(wanted) == 1 else f"[{', '.join(map(str, wanted))}]"
            what = f": give it `when: {{ {switch}: {listed.replace('True', 'true')} }}`"
        yield LintWarning(("space", path), why + what)
    yield from _without_drop_path(space)
    yield from _early_stop(space)


def _without_drop_path(space: SearchSpace) -> Found:
    path = "model.drop_path"
    for point in corners(space.base, space.parameters):
        model = str(_value(space, "model.name", point))
        if point.get(path, 0) > 0 and model.startswith(WITHOUT_DROP_PATH):
            message = f"{path} above 0 fails with {model}, which has no stochastic depth"
            yield LintWarning(("space", path), message)
            return


def _early_stop(space: SearchSpace) -> Found:
    """Training ends early after the last epoch but one at the latest, or not at all."""
    path = "train.early_stop_epochs"
    parameter = space.parameters.get(path)
    never = max(possible("train.epochs", space.base, space.parameters)) - 1
    if parameter is None or max(parameter.ends) <= never:
        return
    message = (
        f"{path} {parameter.range_text}: from {never} on all values are alike, as none of them "
        f"ends a training of {never + 1} epochs early"
    )
    yield LintWarning(("space", path), message)


def _linear(space: SearchSpace) -> Found:
    """A rate over more than a decade is searched by its logarithm."""
    for path in ON_LOG_SCALE:
        parameter = space.parameters.get(path)
        if parameter is None or isinstance(parameter, Choice) or parameter.is_log:
            continue
        if 0 < parameter.low * WIDEST_LINEAR < parameter.high:
            share = (parameter.high / 10 - parameter.low) / (parameter.high - parameter.low)
            message = (
                f"{path} {parameter.range_text} is drawn linearly, only {share:.0%} of it below "
                f"{show_value(parameter.high / 10)}: take kind log_float"
            )
            yield LintWarning(("space", path, "kind"), message)


# Published values ---------------------------------------------------------------------------


def _without_published_value(space: SearchSpace, published: Sequence[SearchSpace]) -> Found:
    """A range that leaves out what was published for the network and the loss of the space."""
    for reference in published:
        recipe = reference.default_recipe
        if not all(_can_be(space, path, recipe.get(path)) for path in ("model.name", "loss.name")):
            continue
        for path, parameter in space.parameters.items():
            value = recipe.get(path)
            if parameter.contains(value) or not _is_meant(path, parameter, recipe.get):
                continue
            message = (
                f"{path} {parameter.range_text} leaves out {show_value(value)}, published for "
                f"{reference.name} ({reference.source})"
            )
            yield LintWarning(("space", path), message)


def _can_be(space: SearchSpace, path: str, value: Any) -> bool:
    """True where some point of the space has the value at `path`."""
    parameter = space.parameters.get(path)
    return space.base.get(path) == value if parameter is None else parameter.contains(value)


def _is_meant(path: str, parameter: Parameter, get: Callable[[str], Any]) -> bool:
    """True where the value at `path` does something in the published recipe that `get` reads."""
    switch, on = WORKS_WITH.get(path, ("", ()))
    is_on = not switch or get(switch) in on
    return is_on and all(get(name) in allowed for name, allowed in parameter.when.items())


# Schedules ----------------------------------------------------------------------------------


def _schedule(space: SearchSpace) -> Found:
    """A learning rate that starts at the floor of its schedule stays there."""
    for point in corners(space.base, space.parameters):
        lr, floor = (_value(space, path, point) for path in ("optim.lr", "schedule.min_lr"))
        if lr <= floor and _value(space, "schedule.name", point) != "constant":
            place: Place = ("space", "optim.lr") if "optim.lr" in point else ("base", "schedule")
            message = f"optim.lr {show_value(lr)} never falls: schedule.min_lr is {floor:g}"
            yield LintWarning(place, message)
            return


def _scheduler(space: SearchSpace) -> Found:
    """ASHA compares trials when the comparison means something, and all of them."""
    if space.search.scheduler == "none":
        return
    grace = space.search.grace_epochs
    place: Place = ("search", "grace_epochs")
    warmup = max(possible("schedule.warmup_epochs", space.base, space.parameters))
    if grace <= warmup:
        why = "before it ends, learning rates look alike"
        yield LintWarning(
            place, f"grace_epochs {grace} ends within the warm-up of {warmup:g} epochs: {why}"
        )
    shortest = min(possible("train.epochs", space.base, space.parameters))
    if shortest <= grace:
        yield LintWarning(
            place,
            f"grace_epochs {grace} saves nothing of the trials whose train.epochs is {shortest}",
        )


def _value(space: SearchSpace, path: str, point: Mapping[str, Any]) -> Any:
    return point[path] if path in point else space.base.get(path)
