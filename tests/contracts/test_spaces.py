"""Over every search space that ships: it loads, says what was published, and cannot rot."""

from pathlib import Path

import jsonschema
import pytest

from harness.core.recipe import Recipe
from harness.core.registered import registered
from harness.core.space import SearchSpace, describe_space, shipped_spaces, shipped_spaces_dir
from harness.core.space_checks import corners
from harness.core.space_lint import WORKS_WITH, lint_space
from harness.core.space_schema import space_schema
from harness.core.yaml_file import load_yaml

SPACES = shipped_spaces()
FILES = sorted(
    path for path in shipped_spaces_dir().rglob("*.yaml") if path.parent.name != "benchmarks"
)

# Design and papers, written out once more: trial 0 of each search of the mission.
PUBLISHED = {
    "dannynet": {
        "model.name": "densenet121.tv_in1k", "model.weights": "imagenet", "model.drop_path": 0,
        "loss.name": "focal", "loss.gamma": 2, "loss.alpha": 1, "loss.reduction": "mean",
        "optim.name": "adamw", "optim.lr": 5e-5, "optim.weight_decay": 1e-5,
        "optim.layer_decay": 1, "schedule.name": "plateau", "schedule.patience": 1,
        "schedule.factor": 0.1, "schedule.warmup_epochs": 0, "data.resize_px": 256,
        "data.input_px": 224, "augment.crop": True, "augment.crop_scale_min": 0.08,
        "augment.flip": 0.5, "augment.jitter": 0.1, "train.batch_size": 8, "train.epochs": 25,
        "train.early_stop_epochs": 5, "train.keep": "val/auroc_macro",
    },
    "chexnet": {
        "model.name": "densenet121.tv_in1k", "model.weights": "imagenet", "model.drop_path": 0,
        "loss.name": "bce", "loss.reduction": "sum", "optim.name": "adam", "optim.lr": 1e-3,
        "optim.weight_decay": 0, "optim.layer_decay": 1, "schedule.name": "plateau",
        "schedule.patience": 0, "schedule.factor": 0.1, "schedule.warmup_epochs": 0,
        "data.resize_px": 224, "data.input_px": 224, "augment.crop": False, "augment.flip": 0.5,
        "augment.jitter": 0, "train.batch_size": 16, "train.epochs": 20,
        "train.early_stop_epochs": 5, "train.keep": "val/loss",
    },
    "vit_base": {
        "model.name": "vit_base_patch16_224.orig_in21k_ft_in1k", "model.weights": "imagenet",
        "model.drop_path": 0, "loss.name": "bce", "loss.reduction": "mean", "optim.name": "adam",
        "optim.lr": 1e-4, "optim.weight_decay": 1e-5, "optim.layer_decay": 1,
        "schedule.name": "plateau", "schedule.patience": 3, "schedule.factor": 0.1,
        "data.resize_px": 224, "data.input_px": 224, "augment.crop": False, "augment.flip": 0,
        "augment.jitter": 0, "train.batch_size": 16, "train.epochs": 20,
        "train.early_stop_epochs": 5, "train.keep": "val/auroc_macro",
    },
    "vit_small": {
        "model.name": "vit_small_patch16_224.augreg_in21k_ft_in1k", "model.weights": "imagenet",
        "model.drop_path": 0.2, "loss.name": "bce", "optim.name": "adamw",
        "optim.weight_decay": 0.05, "optim.layer_decay": 0.55, "schedule.name": "cosine",
        "schedule.warmup_epochs": 5, "schedule.min_lr": 1e-5, "train.keep": "val/auroc_macro",
    },
}  # fmt: skip
MINI_OF = {"dannynet-mini": "dannynet", "chexnet-mini": "chexnet", "vit-mini": "vit_small"}
MISSION = (*PUBLISHED, "vit_base_modern", *MINI_OF)


@pytest.fixture(params=SPACES)
def space(request) -> SearchSpace:
    return SearchSpace.load(request.param)


def trial_0(name: str) -> Recipe:
    space = SearchSpace.load(name)
    return space.recipe(space.default_values())


def test_the_spaces_of_the_mission_ship() -> None:
    assert set(MISSION) <= set(SPACES)
    assert len(SPACES) == len(FILES), "two spaces share a name"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_known_to_editors_and_to_the_schema(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    prefix = "# yaml-language-server: $schema="
    assert first.startswith(prefix)
    assert (path.parent / first.removeprefix(prefix)).resolve() == (
        shipped_spaces_dir() / "space.schema.json"
    ).resolve()
    jsonschema.Draft202012Validator(space_schema()).validate(load_yaml(path).tree)


def test_a_space_is_named_as_its_file(space) -> None:
    stem = SPACES[space.name].stem
    assert space.name in (stem, f"{stem}-mini")


def test_every_corner_is_a_recipe_of_its_own(space) -> None:
    points = list(corners(space.base, space.parameters))
    ids = {space.recipe(values).run_id for values in points}
    assert len(ids) == len({tuple(sorted(values.items())) for values in points})


@pytest.mark.parametrize("name", PUBLISHED)
def test_trial_0_is_the_published_recipe(name) -> None:
    recipe = trial_0(name)
    assert {path: recipe.get(path) for path in PUBLISHED[name]} == PUBLISHED[name]


def test_a_space_fixes_neither_the_data_nor_the_seed(space) -> None:
    recipe = space.recipe(space.default_values())
    assert (recipe.data.store, recipe.data.split, recipe.seed) == ("", "official", 0)


@pytest.mark.parametrize("name", MISSION)
def test_a_space_searches_what_the_mission_asks_for(name) -> None:
    space = SearchSpace.load(name)
    assert {"optim.lr", "optim.weight_decay", "augment.jitter"} <= set(space.space)
    if not space.name.startswith("chexnet"):
        assert {"loss.gamma", "loss.alpha"} <= set(space.space)
    if space.name.startswith("vit"):
        assert {"optim.layer_decay", "model.drop_path", "loss.name"} <= set(space.space)


@pytest.mark.parametrize("name", MISSION)
def test_gamma_and_alpha_are_searched_with_the_focal_loss_alone(name) -> None:
    space = SearchSpace.load(name)
    for values in corners(space.base, space.parameters):
        is_focal = values.get("loss.name", space.base.loss.name) == "focal"
        searched = {"loss.gamma", "loss.alpha"} & set(space.space)
        assert searched & set(values) == (searched if is_focal else set())


def test_the_cosine_never_ends_above_where_it_began(space) -> None:
    lr = space.space.get("optim.lr")
    assert space.base.schedule.min_lr < min(lr.ends if lr else [space.base.optim.lr])


def test_asha_waits_for_the_warm_up(space) -> None:
    assert space.search.grace_epochs > space.base.schedule.warmup_epochs


def test_both_densenets_are_tuned_over_the_same_learning_rates() -> None:
    ends = {SearchSpace.load(name).space["optim.lr"].ends for name in ("dannynet", "chexnet")}
    assert len(ends) == 1


def test_vit_small_and_vit_base_modern_differ_in_the_network_alone() -> None:
    differences = trial_0("vit_small").differences(trial_0("vit_base_modern"))
    assert set(differences) == {"model.name"}
    small, base = (SearchSpace.load(name) for name in ("vit_small", "vit_base_modern"))
    assert small.space == base.space
    assert small.search == base.search


@pytest.mark.parametrize("name", MINI_OF)
def test_a_mini_is_made_for_the_phantom_and_says_so(name) -> None:
    recipe = trial_0(name)
    assert (recipe.data.resize_px, recipe.data.input_px) == (64, 64)
    assert recipe.model.weights == "none"
    assert recipe.model.name in ("densenet_mini", "vit_mini")
    assert recipe.loss.name == trial_0(MINI_OF[name]).loss.name
    assert recipe.loss.reduction == trial_0(MINI_OF[name]).loss.reduction
    assert "not the published recipe" in SPACES[name].read_text(encoding="utf-8")
    assert set(SearchSpace.load(name).space) == set(SearchSpace.load(MINI_OF[name]).space)


def test_every_network_exists(space) -> None:
    model = space.base.model
    if model.weights == "none":
        zoo = pytest.importorskip("harness.models.zoo")
        assert model.name in zoo.NETWORKS
    else:
        timm = pytest.importorskip("timm")
        assert model.name in timm.list_pretrained()


@pytest.mark.parametrize("name", MISSION)
def test_the_page_about_spaces_names_those_of_the_mission(name) -> None:
    page = (shipped_spaces_dir() / "README.md").read_text(encoding="utf-8")
    assert f"`{name}`" in page


def test_a_space_can_be_described(space) -> None:
    assert [row["parameter"] for row in describe_space(space)] == [*space.parameters]


def test_the_example_of_the_page_is_a_space(tmp_path: Path) -> None:
    page = (shipped_spaces_dir() / "README.md").read_text(encoding="utf-8")
    example = tmp_path / "mine.yaml"
    example.write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    space = SearchSpace.load(example)
    assert space.name == "mine"
    assert space.search == type(space.search)(), "the example shows the defaults of the settings"


def test_a_shipped_space_gives_no_warning(space) -> None:
    assert lint_space(space) == []


# What the warnings say of the code ----------------------------------------------------------

TWO_VALUES = {
    "augment.crop_scale_min": (0.1, 0.9),
    "optim.momentum": (0.1, 0.9),
    "schedule.patience": (0, 3),
    "schedule.factor": (0.1, 0.5),
    "schedule.min_lr": (0.0, 0.05),
}
SETTINGS = {
    "augment.crop": (True, False),
    "optim.name": registered("training/optim.py:OPTIMIZERS"),
    "schedule.name": registered("training/optim.py:SCHEDULES"),
}


@pytest.mark.parametrize("path", WORKS_WITH)
def test_a_parameter_works_where_the_warnings_say_so_and_nowhere_else(path: str) -> None:
    switch, on = WORKS_WITH[path]
    for setting in SETTINGS[switch]:
        one, other = (
            training_of(Recipe().with_values({"optim.lr": 0.1, switch: setting, path: value}))
            for value in TWO_VALUES[path]
        )
        assert (one == other) is (setting not in on), f"{switch} {setting}"


def training_of(recipe: Recipe) -> list[object]:
    """Everything that a few steps do: learning rates, weights, and training images."""
    torch = pytest.importorskip("torch")
    from harness.core.recipe import DataRecipe
    from harness.data.augment import augment
    from harness.training.optim import Schedule, build_optimizer

    backbone = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(backbone.weight, 0.5)
    torch.nn.init.constant_(backbone.bias, 0.0)
    optimizer = build_optimizer(backbone, recipe.optim)
    schedule = Schedule(optimizer, recipe.schedule, steps=1, epochs=8)
    done: list[object] = []
    for step in range(8):
        done.append(schedule.before_step(step))
        optimizer.zero_grad()
        backbone(torch.ones(1, 2)).square().sum().backward()
        optimizer.step()
        schedule.after_epoch(1.0)  # a plateau from the first epoch on
        done += backbone.weight.flatten().tolist()
    image_B1HW = torch.arange(4 * 32 * 32).remainder(256).to(torch.uint8).view(4, 1, 32, 32)
    data = DataRecipe(resize_px=32, input_px=32)
    generator = torch.Generator().manual_seed(0)
    image = augment(image_B1HW, recipe=recipe.augment, data=data, generator=generator)
    return [*done, *image.flatten().tolist()]
