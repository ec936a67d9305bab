"""Each warning where it is due, with its line, and nowhere else."""

import pytest

from harness.core.space import SearchSpace
from harness.core.space_lint import lint_file, lint_space, published_spaces

LR = {"kind": "log_float", "low": 1e-5, "high": 1e-2, "default": 1e-4}
SCALE = {"kind": "float", "low": 0.1, "high": 0.9, "default": 0.5}
OURS = {"model": {"name": "vit_mini", "weights": "none"}}
"""A network for which nothing has been published."""


def space_of(parameters, *, base=None, search=None) -> SearchSpace:
    return SearchSpace(
        name="toy", title="", source="", base=OURS | (base or {}), space=parameters,
        search=search or {},
    )  # fmt: skip


def warnings_of(parameters, **parts):
    return [
        (".".join(map(str, place)), message)
        for place, message in lint_space(space_of(parameters, **parts))
    ]


def choice(*choices):
    return {"kind": "choice", "choices": choices, "default": choices[0]}


def test_a_space_like_the_shipped_ones_gives_no_warning() -> None:
    assert warnings_of({"optim.lr": LR, "augment.jitter": SCALE}) == []


# Without effect -----------------------------------------------------------------------------

PATIENCE = {"kind": "int", "low": 0, "high": 2, "default": 1}
COSINE = {"schedule": {"name": "cosine"}}
CONSTANT = {"schedule": {"name": "constant"}}


@pytest.mark.parametrize(
    ("path", "parameter", "base", "why"),
    [
        ("augment.crop_scale_min", SCALE, {"augment": {"crop": False}}, "augment.crop is False"),
        ("optim.momentum", SCALE, {"optim": {"name": "adamw"}}, "optim.name is adamw"),
        ("schedule.patience", PATIENCE, COSINE, "schedule.name is cosine"),
        ("schedule.patience", PATIENCE, CONSTANT, "schedule.name is constant"),
        ("schedule.factor", SCALE, COSINE, "schedule.name is cosine"),
        ("schedule.min_lr", SCALE, CONSTANT, "schedule.name is constant"),
    ],
)
def test_a_parameter_that_is_switched_off(path, parameter, base, why) -> None:
    message = f"{path} does nothing where {why}, as it always is here: it would be searched for "
    assert warnings_of({path: parameter}, base=base) == [(f"space.{path}", message + "nothing")]


@pytest.mark.parametrize(
    ("path", "parameter", "base"),
    [
        ("augment.crop_scale_min", SCALE, {"augment": {"crop": True}}),
        ("optim.momentum", SCALE, {"optim": {"name": "sgd"}}),
        ("schedule.patience", PATIENCE, {}),
        ("schedule.factor", SCALE, {}),
        ("schedule.min_lr", {**LR, "high": 4e-5, "default": 1e-5}, COSINE),
        ("schedule.warmup_epochs", {**SCALE, "high": 3}, CONSTANT),
    ],
)
def test_a_parameter_that_works(path, parameter, base) -> None:
    assert warnings_of({path: parameter}, base=base) == []


def test_a_parameter_that_is_switched_off_in_some_trials_wants_a_condition() -> None:
    crop, scale = choice(True, False), "augment.crop_scale_min"
    [(place, message)] = warnings_of({"augment.crop": crop, scale: SCALE})
    assert place == f"space.{scale}"
    assert message == (
        f"{scale} does nothing where augment.crop is False: "
        "give it `when: { augment.crop: true }`"
    )
    scale_with_condition = SCALE | {"when": {"augment.crop": True}}
    assert warnings_of({"augment.crop": crop, scale: scale_with_condition}) == []


def test_a_condition_may_allow_several_values() -> None:
    schedule = choice("plateau", "cosine", "constant")
    floor = {**LR, "high": 4e-5, "default": 1e-5}
    [(_, message)] = warnings_of({"schedule.name": schedule, "schedule.min_lr": floor})
    assert "schedule.name is constant: give it `when: { schedule.name: [plateau, cosine] }`" in (
        message
    )


def test_the_networks_without_stochastic_depth() -> None:
    drop_path = {"kind": "float", "low": 0, "high": 0.2, "default": 0}
    for name in ("densenet121.tv_in1k", "densenet_mini"):
        base = {"model": {"name": name, "weights": "none"}}
        [(place, message)] = warnings_of({"model.drop_path": drop_path}, base=base)
        assert place == "space.model.drop_path"
        assert (
            message == f"model.drop_path above 0 fails with {name}, which has no stochastic depth"
        )
    assert warnings_of({"model.drop_path": drop_path}) == []


def test_an_early_stop_that_comes_too_late() -> None:
    stop = {"kind": "int", "low": 5, "high": 40, "default": 5}
    [(place, message)] = warnings_of({"train.early_stop_epochs": stop})
    assert place == "space.train.early_stop_epochs"
    assert "from 24 on all values are alike" in message
    assert warnings_of({"train.early_stop_epochs": stop | {"high": 24}}) == []


@pytest.mark.parametrize(
    "parameter", [{"kind": "float", "low": 0.1, "high": 0.1, "default": 0.1}, choice(0.1)]
)
def test_a_range_of_one_value(parameter) -> None:
    [(place, message)] = warnings_of({"augment.jitter": parameter})
    assert place == "space.augment.jitter"
    assert message.startswith("augment.jitter can only be 0.1: widen the range, or write it into")


# Scales and schedules -----------------------------------------------------------------------


def test_a_learning_rate_over_decades_is_searched_by_its_logarithm() -> None:
    [(place, message)] = warnings_of({"optim.lr": LR | {"kind": "float"}})
    assert place == "space.optim.lr.kind"
    assert message == (
        "optim.lr 1e-05 to 0.01 is drawn linearly, only 10% of it below 0.001: take kind log_float"
    )
    assert warnings_of({"optim.lr": LR | {"kind": "float", "low": 1e-3, "default": 1e-3}}) == []


@pytest.mark.parametrize("name", ["plateau", "cosine"])
def test_a_learning_rate_at_the_floor_of_its_schedule(name) -> None:
    base = {"schedule": {"name": name, "min_lr": 1e-5}}
    [(place, message)] = warnings_of({"optim.lr": LR}, base=base)
    assert place == "space.optim.lr"
    assert message == "optim.lr 1e-05 never falls: schedule.min_lr is 1e-05"
    assert warnings_of({"optim.lr": LR | {"low": 2e-5}}, base=base) == []
    unread = {"schedule": {"name": "constant", "min_lr": 1e-5}}
    assert warnings_of({"optim.lr": LR}, base=unread) == []


def test_asha_waits_for_the_warm_up() -> None:
    base = {"schedule": {"name": "cosine", "warmup_epochs": 5}}
    [(place, message)] = warnings_of({"optim.lr": LR}, base=base, search={"grace_epochs": 5})
    assert place == "search.grace_epochs"
    assert message.startswith("grace_epochs 5 ends within the warm-up of 5 epochs")
    assert warnings_of({"optim.lr": LR}, base=base, search={"grace_epochs": 6}) == []
    assert warnings_of({"optim.lr": LR}, base=base, search={"scheduler": "none"}) == []


def test_trials_too_short_for_asha() -> None:
    epochs = {"kind": "int", "low": 4, "high": 25, "default": 25}
    [(place, message)] = warnings_of({"train.epochs": epochs}, search={"grace_epochs": 4})
    assert place == "search.grace_epochs"
    assert message == "grace_epochs 4 saves nothing of the trials whose train.epochs is 4"
    assert warnings_of({"train.epochs": epochs | {"low": 5}}, search={"grace_epochs": 4}) == []


# Published values ---------------------------------------------------------------------------

DENSENET = {"model": {"name": "densenet121.tv_in1k"}}


def test_a_range_that_leaves_out_a_published_value() -> None:
    lr = LR | {"low": 1e-4}
    [(place, message)] = warnings_of({"optim.lr": lr}, base=DENSENET | {"loss": {"name": "focal"}})
    assert place == "space.optim.lr"
    assert message == (
        "optim.lr 0.0001 to 0.01 (log) leaves out 5e-05, published for dannynet "
        "(arXiv 2505.06646; recipe of scripts/dacnet.py in dstrick17/DacNet at 34bf207)"
    )
    assert warnings_of({"optim.lr": LR}, base=DENSENET) == []


def test_the_loss_says_whose_values_count() -> None:
    """CheXNet's learning rate, with its loss, is 1e-3; DannyNet's, with focal loss, 5e-5."""
    lr = LR | {"high": 5e-4}
    bce = DENSENET | {"loss": {"name": "bce"}}
    [(_, message)] = warnings_of({"optim.lr": lr}, base=bce)
    assert "leaves out 0.001, published for chexnet" in message
    assert warnings_of({"optim.lr": lr}, base=DENSENET | {"loss": {"name": "focal"}}) == []
    both = warnings_of({"optim.lr": lr | {"low": 1e-4}, "loss.name": choice("bce", "focal")},
                       base=DENSENET)  # fmt: skip
    assert [message.split("for ")[1].split()[0] for _, message in both] == ["chexnet", "dannynet"]


def test_a_value_that_the_published_recipe_does_not_use_is_not_missed() -> None:
    """Its momentum is a default that Adam never reads, and so is a gamma without focal loss."""
    parameters = {
        "optim.name": choice("sgd", "adamw"),
        "optim.momentum": {**SCALE, "high": 0.5, "when": {"optim.name": "sgd"}},
    }
    assert warnings_of(parameters, base=DENSENET) == []
    fixed = {"optim.momentum": {**SCALE, "high": 0.5}}
    assert warnings_of(fixed, base=DENSENET | {"optim": {"name": "sgd"}}) == []
    gamma = {
        "loss.name": choice("bce", "focal"),
        "loss.gamma": {**SCALE, "low": 3, "high": 4, "default": 3, "when": {"loss.name": "focal"}},
    }
    [(place, message)] = warnings_of(gamma, base=DENSENET)
    assert place == "space.loss.gamma"
    assert "published for dannynet" in message


def test_the_published_recipes_are_those_of_the_three_papers_models() -> None:
    assert [space.name for space in published_spaces()] == ["chexnet", "dannynet", "vit_base"]


# In files -----------------------------------------------------------------------------------


def test_a_files_warnings_have_its_lines(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\n"
        "title: mine\n"
        "source: ours\n"
        "base:\n"
        "  model: { name: vit_mini, weights: none }\n"
        "  augment: { crop: false }\n"
        "space:\n"
        "  augment.crop_scale_min: { kind: float, low: 0.1, high: 0.9, default: 0.5 }\n"
        "  optim.lr:\n"
        "    low: 1e-5\n"
        "    high: 1e-2\n"
        "    kind: float\n"
        "    default: 1e-4\n"
    )
    first, second = lint_file(str(path))
    assert first.startswith(f"{path}:8: warning: augment.crop_scale_min does nothing")
    assert second.startswith(f"{path}:12: warning: optim.lr 1e-05 to 0.01 is drawn linearly")
