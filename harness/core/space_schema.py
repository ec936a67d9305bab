"""The JSON schema of a search space, by which editors complete and check the YAML.

Written to `search_spaces/space.schema.json` by `python -m harness.core.space_schema`. It says less
than `SearchSpace.load` checks, which has the last word.
"""

from typing import Any

from harness.core.files import write_json
from harness.core.recipe import Recipe, recipe_paths
from harness.core.space import SearchSpace, shipped_spaces_dir
from harness.core.space_checks import NOT_SEARCHED

PARAMETERS_BY_TYPE: dict[type, tuple[str, ...]] = {
    float: ("FloatRange", "IntRange", "Choice"),
    int: ("IntRange", "Choice"),
    bool: ("Choice",),
    str: ("Choice",),
}


def space_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a search space's YAML file."""
    schema = SearchSpace.model_json_schema()
    paths = [path for path in recipe_paths() if path not in NOT_SEARCHED]
    schema["properties"]["space"] = {
        "description": "The parameters by dotted recipe path.",
        **_mapping({path: _parameter_schema(path) for path in paths}),
    }
    for name in PARAMETERS_BY_TYPE[float]:
        schema["$defs"][name]["properties"]["when"] = {"$ref": "#/$defs/When"}
    schema["$defs"] |= _conditions()
    for section in schema["properties"].values():
        section.pop("default", None)  # editors would fill in the whole of it
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _parameter_schema(path: str) -> dict[str, Any]:
    default = Recipe().get(path)
    refs = [{"$ref": f"#/$defs/{name}"} for name in PARAMETERS_BY_TYPE[type(default)]]
    return {"description": f"{path}, {default} where a space does not say.", "anyOf": refs}


def _conditions() -> dict[str, Any]:
    scalar = {"type": ["boolean", "number", "string"]}
    several = {"type": "array", "items": scalar, "minItems": 1}
    by_path = {path: {"$ref": "#/$defs/Values"} for path in recipe_paths()}
    what = "The parameter is searched only where these paths have (one of) these values."
    return {
        "Values": {"anyOf": [scalar, several]},
        "When": {"description": what, **_mapping(by_path)},
    }


def _mapping(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
    }


def write_space_schema() -> None:
    """Write the schema beside the shipped spaces."""
    write_json(shipped_spaces_dir() / "space.schema.json", space_schema())


if __name__ == "__main__":
    write_space_schema()
