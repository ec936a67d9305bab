import jsonschema
import pytest

from harness.core.files import read_json
from harness.core.recipe import Recipe, recipe_paths
from harness.core.space import shipped_spaces_dir
from harness.core.space_schema import space_schema

LR = {"kind": "log_float", "low": 1e-5, "high": 1e-3, "default": 1e-4}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(space_schema())
    return jsonschema.Draft202012Validator(space_schema())


def test_the_committed_schema_is_up_to_date() -> None:
    committed = read_json(shipped_spaces_dir() / "space.schema.json")
    assert committed == space_schema(), "write it anew: python -m harness.core.space_schema"


def test_it_knows_every_path_under_space_and_every_key_under_base() -> None:
    schema = space_schema()
    fixed = {"seed", "data.store", "data.split", "evaluation.threshold_rule"}
    assert set(schema["properties"]["space"]["properties"]) == set(recipe_paths()) - fixed
    sections = schema["$defs"]["Recipe"]["properties"]
    assert set(sections) == set(Recipe.model_fields)
    assert set(schema["$defs"]["OptimRecipe"]["properties"]) == set(Recipe().optim.model_dump())
    assert set(schema["$defs"]["When"]["properties"]) == set(recipe_paths())


def tree(**changes):
    return {"name": "x", "title": "", "source": "", "space": {"optim.lr": LR}, **changes}


@pytest.mark.parametrize(
    "good",
    [
        tree(),
        tree(base={"loss": {"name": "bce"}}, search={"scheduler": "none"}),
        tree(space={"optim.lr": {**LR, "when": {"optim.name": "adamw"}}}),
        tree(space={"optim.lr": {**LR, "when": {"optim.name": ["adam", "adamw"]}}}),
        tree(space={"loss.name": {"kind": "choice", "choices": ["bce"], "default": "bce"}}),
        tree(space={"optim.lr": {"kind": "choice", "choices": [0.0, 1], "default": 1}}),
    ],
)
def test_what_it_takes(validator, good) -> None:
    validator.validate(good)


@pytest.mark.parametrize(
    "bad",
    [
        tree(spaces={}),
        tree(space={}),
        tree(space={"optm.lr": LR}),
        tree(space={"seed": {"kind": "int", "low": 0, "high": 1, "default": 0}}),
        tree(space={"loss.name": LR}),
        tree(space={"train.epochs": LR}),
        tree(space={"optim.lr": {**LR, "hihg": 1}}),
        tree(space={"optim.lr": {**LR, "kind": "logfloat"}}),
        tree(space={"optim.lr": {**LR, "when": {"optm.name": "adam"}}}),
        tree(space={"optim.lr": {"kind": "log_float", "low": 1, "high": 2}}),
        tree(base={"optim": {"lrr": 1}}),
        tree(base={"optim": {"lr": 0}}),
        tree(base={"loss": {"name": "mse"}}),
        tree(search={"sampler": "grid"}),
        {key: value for key, value in tree().items() if key != "source"},
    ],
)
def test_what_it_refuses(validator, bad) -> None:
    assert not validator.is_valid(bad)
