"""`SearchSpace`: a base recipe, the parameters that a search varies, and how it varies them.

A space is a YAML file; those that ship lie in `search_spaces/`. Its default point is trial 0.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from harness.core.errors import HarnessError, did_you_mean
from harness.core.parameters import KINDS, Parameter, RecipePath, SearchSettings, show_value
from harness.core.recipe import Frozen, Recipe, recipe_paths
from harness.core.space_checks import find_problems, in_order, is_active
from harness.core.yaml_file import Place, Problems, YamlFile, describe_invalid, load_yaml, show

M = TypeVar("M", bound=BaseModel)


class SpaceHeader(Frozen):
    """What a space is called and where it comes from.

    Attributes:
        name: Names the space, and a search of it.
        title: One line for people.
        source: Where the recipe at the default point was published, or that it is ours.
        published: The recipe at the default point is a published one; tables call it so.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str
    source: str
    published: bool = False


class SearchSpace(SpaceHeader):
    """What a search varies, and around what.

    Attributes:
        base: The recipe around the parameters; holds where a parameter is not active.
        space: The parameters by dotted recipe path.
        search: The sampler, the scheduler and their settings.
    """

    base: Recipe = Recipe()
    space: dict[RecipePath, Parameter] = Field(min_length=1)
    search: SearchSettings = SearchSettings()

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        problems = find_problems(self.base, self.space, self.search)
        if problems:
            raise ValueError("; ".join(message for _, message in problems))
        return self

    @classmethod
    def load(cls, path_or_name: str | Path) -> Self:
        """Read a space from a YAML file, or a shipped one by its name.

        Raises:
            HarnessError: There is no such file or name; or the file has mistakes, which are
                shown all together, one `FILE:LINE: message` a line.
        """
        file = load_yaml(find_space(path_or_name))
        check_space_file(file)
        return cls.model_validate(file.tree)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters by recipe path, each after those that its `when` names."""
        return {path: self.space[path] for path in in_order(self.space)}

    def sample(self, draw: Callable[[str, Parameter], Any]) -> dict[str, Any]:
        """Values for the active parameters, each from `draw(path, parameter)`, in order."""
        values: dict[str, Any] = {}
        for path, parameter in self.parameters.items():
            if is_active(parameter, base=self.base, values=values):
                values[path] = draw(path, parameter)
        return values

    def default_values(self) -> dict[str, Any]:
        """The active values at the default point, trial 0."""
        return self.sample(lambda path, parameter: parameter.default)

    @property
    def default_recipe(self) -> Recipe:
        """The recipe at the default point."""
        return self.recipe(self.default_values())

    def active(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of those parameters that are active, out of `values`.

        Raises:
            HarnessError: An active parameter has no value, or one that is out of its range.
        """

        def look_up(path: str, parameter: Parameter) -> Any:
            if path not in values:
                raise HarnessError(f"{self.name}: {path} has no value")
            if not parameter.contains(values[path]):
                raise HarnessError(
                    f"{self.name}: {path} {values[path]!r} is not in {parameter.range_text}"
                )
            return values[path]

        return self.sample(look_up)

    def recipe(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe at a point of the space; inactive parameters are as in the base.

        Raises:
            HarnessError: A value is missing, out of range, or of no parameter of this space.
        """
        for path in values:
            if path not in self.space:
                near = did_you_mean(path, self.space)
                raise HarnessError(f"{self.name} does not search {path!r}{near}")
        return self.base.with_values(self.active(values))

    def with_base(self, values: Mapping[str, Any]) -> Self:
        """The space around another base: a parameter among the paths of `values` is now fixed.

        It is `published` no more where the recipe at its default point is another one; the split
        is not the recipe's own, since tables name it beside all of their rows.

        Raises:
            HarnessError: A path does not exist, or what is left is not a sound space.
        """
        left = {path: each for path, each in self.space.items() if path not in values}
        if not left:
            raise HarnessError(f"{self.name}: with {', '.join(values)} fixed, nothing is searched")
        parts = {"base": self.base.with_values(dict(values)), "space": left}
        try:
            space = type(self)(**dict(self) | parts)
        except ValidationError as error:
            first = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise HarnessError(f"{self.name}: {first}") from None
        split = {"data.split": self.base.data.split}
        is_same = space.default_recipe.with_values(split) == self.default_recipe
        return space.model_copy(update={"published": self.published and is_same})

    def with_search(self, settings: Mapping[str, Any]) -> Self:
        """The space searched in another way: `{"sampler": "random"}`.

        Raises:
            HarnessError: There is no such sampler or scheduler, or it does not fit the space.
        """
        if not settings:
            return self
        try:
            search = SearchSettings.model_validate(self.search.model_dump() | dict(settings))
            return type(self)(**dict(self) | {"search": search})
        except ValidationError as error:
            found = (describe_invalid(dict(item), model=SearchSettings) for item in error.errors())
            raise HarnessError(f"{self.name}: {'; '.join(found)}") from None


def describe_space(space: SearchSpace) -> list[dict[str, str]]:
    """One row of texts for each parameter: its path, range, default and condition."""
    return [
        {
            "parameter": path,
            "range": parameter.range_text,
            "default": show_value(parameter.default),
            "when": "; ".join(
                f"{name} is {' or '.join(map(show_value, allowed))}"
                for name, allowed in parameter.when.items()
            ),
        }
        for path, parameter in space.parameters.items()
    ]


# Where spaces lie ---------------------------------------------------------------------------


def shipped_spaces_dir() -> Path:
    """`search_spaces/` of a checkout, or the copy of it inside an installed package."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "search_spaces"
    return installed if installed.is_dir() else package.parent / "search_spaces"


def shipped_spaces() -> dict[str, Path]:
    """Path of every shipped space by its name, in the order of the names."""
    folder = shipped_spaces_dir()
    files = [*folder.glob("*.yaml"), *(folder / "phantom").glob("*.yaml")]
    return dict(sorted((str(load_yaml(path).tree.get("name")), path) for path in files))


def find_space(path_or_name: str | Path) -> Path:
    """The file of a space, given as a path or as the name of a shipped one.

    Raises:
        HarnessError: There is neither such a file nor such a name.
    """
    path = Path(path_or_name)
    if path.is_file():
        return path
    shipped = shipped_spaces()
    name = str(path_or_name)
    if name in shipped:
        return shipped[name]
    near = did_you_mean(path.stem, shipped)
    listing = ", ".join(shipped)
    raise HarnessError(f"no search space {name!r}{near}: no such file; shipped are {listing}")


# Checking a file, with lines ----------------------------------------------------------------

PARTS = ("base", "space", "search")


def check_space_file(file: YamlFile) -> None:
    """Raise one `HarnessError` with every mistake of a space's file, a line each."""
    problems = Problems(file)
    header = {key: value for key, value in file.tree.items() if key not in PARTS}
    _part(SpaceHeader, header, problems=problems, known=SearchSpace)
    base = _part(Recipe, file.tree.get("base", {}), under=("base",), problems=problems)
    settings = _part(
        SearchSettings, file.tree.get("search", {}), under=("search",), problems=problems
    )
    parameters = _parameters(file.tree.get("space"), problems)
    if base is not None:
        _check_stated_twice(base, parameters, problems)
    if base is not None and settings is not None:
        for place, message in find_problems(base, parameters, settings):
            problems.add(place, message)
    problems.raise_if_any()


def _part(
    model: type[M],
    tree: Any,
    *,
    problems: Problems,
    under: Place = (),
    known: type[BaseModel] | None = None,
) -> M | None:
    """The part of a file as `model`; what is wrong with it goes to `problems`.

    `known` is the model whose keys are suggested where that is not `model`.
    """
    try:
        return model.model_validate(tree, strict=True)
    except ValidationError as error:
        problems.add_invalid(error, model=known or model, under=under)
        return None


def _parameters(tree: Any, problems: Problems) -> dict[str, Parameter]:
    """The parameters of a file that are sound by themselves."""
    if not isinstance(tree, dict) or not tree:
        problems.add(("space",), "`space` must hold at least one parameter, such as optim.lr")
        return {}
    found = {path: _parameter(path, part, problems) for path, part in tree.items()}
    return {path: parameter for path, parameter in found.items() if parameter is not None}


def _parameter(path: str, tree: Any, problems: Problems) -> Parameter | None:
    place: Place = ("space", path)
    if path not in recipe_paths():
        near = did_you_mean(path, recipe_paths())
        problems.add(place, f"unknown recipe path {path!r}{near}")
        return None
    if not isinstance(tree, dict) or "kind" not in tree:
        problems.add(place, f"{show(place)} needs a kind: {', '.join(KINDS)}")
        return None
    kind = str(tree["kind"])
    if kind not in KINDS:
        near = did_you_mean(kind, KINDS)
        problems.add((*place, "kind"), f"unknown kind {kind!r}{near}; there are {', '.join(KINDS)}")
        return None
    return _part(KINDS[kind], tree, under=place, problems=problems)


def _check_stated_twice(
    base: Recipe, parameters: Mapping[str, Parameter], problems: Problems
) -> None:
    """Trial 0 takes the default: another value for it in the base would be passed over."""
    for path, parameter in parameters.items():
        place: Place = ("base", *path.split("."))
        if place in problems.file.lines and base.get(path) != parameter.default:
            line = problems.file.line(("space", path))
            default = f"the default {parameter.default!r} of line {line}"
            problems.add(place, f"{show(place)} {base.get(path)!r} is not {default}: leave it out")
