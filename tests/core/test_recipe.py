import pickle
import subprocess
import sys

import pytest
from pydantic import ValidationError

from harness.core.errors import HarnessError
from harness.core.files import sha256_of_json
from harness.core.recipe import Recipe, check_path, problems_of, recipe_paths


def test_the_defaults_are_dannynets_published_recipe() -> None:
    recipe = Recipe()
    assert (recipe.loss.name, recipe.loss.gamma, recipe.loss.alpha) == ("focal", 2.0, 1.0)
    assert (recipe.optim.name, recipe.optim.lr, recipe.optim.weight_decay) == ("adamw", 5e-5, 1e-5)
    assert (recipe.schedule.name, recipe.schedule.patience) == ("plateau", 1)
    assert (recipe.train.batch_size, recipe.train.epochs) == (8, 25)


def test_the_run_id_is_the_hash_of_the_canonical_json() -> None:
    recipe = Recipe()
    assert recipe.run_id == sha256_of_json(recipe.model_dump(mode="json"))
    assert len(recipe.run_id) == 64


def test_the_run_id_does_not_move() -> None:
    """Results on disk are found by it: a change of this line orphans them all."""
    assert Recipe().run_id.startswith("db1d42383184")


@pytest.mark.parametrize("path", recipe_paths())
def test_every_path_moves_the_run_id(path) -> None:
    recipe = Recipe(loss={"name": "focal"})
    other = {
        "loss.name": "bce", "loss.reduction": "sum", "optim.name": "sgd", "schedule.name": "cosine",
        "train.keep": "val/loss", "augment.crop": False, "data.input_px": 200,
        "evaluation.threshold_rule": "youden",
    }  # fmt: skip
    value = recipe.get(path)
    if path in other:
        changed = other[path]
    elif isinstance(value, str):
        changed = value + "x"
    elif isinstance(value, int):
        changed = value + 1
    else:
        changed = value / 2 + 0.01
    moved = recipe.with_values({path: changed})
    assert moved.run_id != recipe.run_id
    assert moved.get(path) == changed
    assert recipe.differences(moved) == {path: (value, changed)}


def test_a_copy_with_changes_has_its_own_run_id() -> None:
    recipe = Recipe()
    first = recipe.run_id
    assert recipe.model_copy(update={"seed": 3}).run_id != first
    assert recipe.run_id == first


def test_equal_recipes_have_equal_run_ids_however_they_were_written() -> None:
    assert Recipe(optim={"weight_decay": 0}).run_id == Recipe(optim={"weight_decay": 0.0}).run_id
    read_back = Recipe.model_validate_json(Recipe(seed=7).model_dump_json())
    assert read_back == Recipe(seed=7)
    assert read_back.run_id == Recipe(seed=7).run_id
    assert pickle.loads(pickle.dumps(Recipe(seed=7))).run_id == Recipe(seed=7).run_id


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Recipe().optim.lr = 1.0


@pytest.mark.parametrize(
    "tree",
    [
        {"optm": {}},
        {"optim": {"rate": 1}},
        {"optim": {"lr": 0}},
        {"optim": {"lr": float("nan")}},
        {"optim": {"lr": float("inf")}},
        {"optim": {"weight_decay": -1e-9}},
        {"optim": {"name": "lion"}},
        {"optim": {"layer_decay": 0}},
        {"model": {"drop_path": 1}},
        {"schedule": {"factor": 1}},
        {"augment": {"crop_scale_min": 0}},
        {"train": {"epochs": 0}},
        {"train": {"batch_size": 1.5}},
        {"data": {"resize_px": 200, "input_px": 224}},
        {"loss": {"name": "bce", "gamma": 1}},
        {"loss": {"name": "bce", "alpha": 2}},
        {"seed": -1},
        {"seed": 2**63},
    ],
)
def test_what_is_refused(tree) -> None:
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate(tree)
    ((where, _),) = problems_of(caught.value)
    (group, inner), *_ = tree.items()
    path = ".".join([group, *list(inner)[:1]]) if isinstance(inner, dict) else group
    assert where
    assert path.startswith(where), "refused for something else"


def test_the_edges_are_taken() -> None:
    Recipe(seed=2**63 - 1)
    Recipe(data={"resize_px": 224, "input_px": 224})
    Recipe(loss={"name": "bce", "gamma": 2, "alpha": 1})


def test_with_values_leaves_the_original_alone_and_checks_the_whole() -> None:
    recipe = Recipe()
    assert recipe.with_values({}) == recipe
    smaller = recipe.with_values({"data.resize_px": 64, "data.input_px": 64})
    assert (smaller.data.resize_px, recipe.data.resize_px) == (64, 256)
    with pytest.raises(HarnessError, match=r"input_px 224 is larger than data.resize_px 64"):
        recipe.with_values({"data.resize_px": 64})
    with pytest.raises(HarnessError, match=r"optim.lr: .*greater than 0") as caught:
        recipe.with_values({"optim.lr": -1, "train.epochs": 0})
    assert "train.epochs" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_paths_are_met_with_the_nearest() -> None:
    for call in (check_path, Recipe().get, lambda path: Recipe().with_values({path: 1})):
        with pytest.raises(HarnessError, match=r"'optim.lrr' \(did you mean 'optim.lr'\?\)"):
            call("optim.lrr")
    for path in ("optim", "", "optim.lr.x", "model_fields"):
        with pytest.raises(HarnessError, match="unknown parameter"):
            Recipe().get(path)


def test_paths_cover_the_recipe() -> None:
    paths = recipe_paths()
    assert len(paths) == len(set(paths))
    tree = Recipe().model_dump()
    leaves = sum(len(part) if isinstance(part, dict) else 1 for part in tree.values())
    assert len(paths) == leaves
    assert paths[0] == "data.store"
    assert paths[-1] == "seed"


def test_differences_name_only_what_differs() -> None:
    recipe = Recipe()
    assert recipe.differences(recipe) == {}
    other = recipe.with_values({"optim.lr": 1e-3, "seed": 4})
    assert recipe.differences(other) == {"optim.lr": (5e-5, 1e-3), "seed": (0, 4)}


def test_problems_are_plain() -> None:
    with pytest.raises(ValidationError) as caught:
        Recipe(seed=2**63)
    assert problems_of(caught.value) == [("seed", "a seed must be below 2**63")]


def test_core_is_light() -> None:
    """Everything imports core: it must stay cheap, and import nothing of what is above it."""
    code = (
        "import sys; import harness.core.space, harness.core.run_dir, harness.core.predictions;"
        "heavy = {'torch', 'pandas', 'sklearn', 'ray', 'optuna', 'mlflow', 'timm', 'scipy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
