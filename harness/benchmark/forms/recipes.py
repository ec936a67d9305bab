"""A recipe in words, in full or by what tells it from another."""

from harness.benchmark.forms.wording import listed, number, plain, plural, value_of
from harness.benchmark.results import Row
from harness.core.recipe import LossRecipe, Recipe

NOT_METHOD = ("seed", "data.store")


def as_another(recipe: Recipe, label: str, other: Recipe) -> str:
    """What is not as in the recipe `other` of the row `label`."""
    changes = [
        f"{path} {value_of(mine)}"
        for path, (mine, _) in recipe.differences(other).items()
        if path not in NOT_METHOD
    ]
    return f"as {label}, but with {listed(changes)}" if changes else f"the same recipe as {label}"


def in_full(recipe: Recipe, row: Row) -> str:
    """Network, input, loss, optimiser, schedule, augmentation and length of a row's training."""
    size = row.num_parameters_m
    return ", ".join(
        part
        for part in (
            plain(row.network or recipe.model.network)
            + (f" ({number(size, 2)} million parameters)" if size is not None else ""),
            f"input {recipe.data.input_px} pixels cut from {recipe.data.resize_px}",
            _loss(recipe),
            f"{recipe.optim.name} with a learning rate of {value_of(recipe.optim.lr)} and a weight "
            f"decay of {value_of(recipe.optim.weight_decay)}",
            f"layer-wise decay {value_of(recipe.optim.layer_decay)}"
            if recipe.optim.layer_decay != 1
            else "",
            f"drop path {value_of(recipe.model.drop_path)}" if recipe.model.drop_path else "",
            _schedule(recipe),
            _augment(recipe),
            f"batches of {recipe.train.batch_size}, at most "
            f"{plural(recipe.train.epochs, 'epoch')}, stopped after "
            f"{recipe.train.early_stop_epochs} without a better {kept_metric(recipe)}",
        )
        if part
    )


def _loss(recipe: Recipe) -> str:
    loss = recipe.loss
    name = {"bce": "binary cross-entropy", "focal": "focal loss"}.get(loss.name, loss.name)
    told = {
        leaf: getattr(loss, leaf)
        for leaf in ("gamma", "alpha")
        if loss.name == "focal" or getattr(loss, leaf) != getattr(LossRecipe(), leaf)
    }  # another loss may not read them
    settings = "".join(f"{leaf} {value_of(value)}, " for leaf, value in told.items())
    return f"{name} ({settings}{loss.reduction} over findings)"


def _schedule(recipe: Recipe) -> str:
    schedule = recipe.schedule
    warmup = (
        f", {value_of(schedule.warmup_epochs)} epochs of warm-up" if schedule.warmup_epochs else ""
    )
    if schedule.name == "plateau":
        return (
            f"learning rate times {value_of(schedule.factor)} after "
            f"{plural(schedule.patience, 'epoch')} of patience on validation loss{warmup}"
        )
    return f"{schedule.name} learning rate{warmup}"


def _augment(recipe: Recipe) -> str:
    augment = recipe.augment
    parts = [
        f"random resized crops (area from {value_of(augment.crop_scale_min)})"
        if augment.crop
        else "",
        f"horizontal flips (probability {value_of(augment.flip)})" if augment.flip else "",
        f"brightness and contrast jitter {value_of(augment.jitter)}" if augment.jitter else "",
    ]
    return listed(part for part in parts if part) or "no augmentation"


def kept_metric(recipe: Recipe) -> str:
    """What chooses the epoch whose weights are kept."""
    return "validation loss" if recipe.train.is_lower_better else "validation macro AUROC"
