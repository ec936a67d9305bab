"""`BenchmarkPlan`: what is compared, as its YAML file or the command line says it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from harness.core.errors import HarnessError, did_you_mean
from harness.core.recipe import Count, Frozen
from harness.core.space import shipped_spaces_dir
from harness.core.yaml_file import Problems, describe_invalid, load_yaml

Plan = TypeVar("Plan", bound=Frozen)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class StatisticsPlan(Frozen):
    """How the figures of a comparison are computed.

    Attributes:
        resamples: Bootstrap resamples behind each interval.
        unit: What is resampled. Images of one patient are alike, so intervals over images are too
            narrow: they are for comparison with work that has them.
        ensembles: The mean of each contestant's seeds, and of all winners, are rows as well.
        reproduce: Key of a published row that is set beside ours finding by finding.
        boxes: Where the store has boxes of test images, the final runs' maps are held against them.
        tolerance_px: So far beside a box counts as in it, in pixels of the boxes' frame.
    """

    resamples: Annotated[int, Field(ge=200, le=100_000)] = 2000
    unit: Literal["patient", "image"] = "patient"
    ensembles: bool = False
    reproduce: str | None = None
    boxes: bool = True
    tolerance_px: Annotated[float, Field(ge=0, le=1000)] = 0.0

    def with_options(self, **options: Any) -> Self:
        """A copy with some fields replaced, None for as it is.

        Raises:
            HarnessError: A value is out of its range.
        """
        return _replaced(self, options)


class BenchmarkPlan(Frozen):
    """What is compared.

    Attributes:
        name: Also the folder of the results; `searches` is taken.
        title: Heads the table; the name where empty.
        searches: Names of searches, whose winners are compared.
        seeds: Final runs per contestant.
        published: Each search's default point, the published recipe where it has one, competes too.
        recipes: Names of search spaces whose default point alone competes, without a search.
        unequal_budgets: Searches of different lengths may compete; their rows say so.
    """

    name: Name
    title: str = ""
    searches: tuple[Name, ...] = ()
    seeds: Count = 3
    published: bool = True
    recipes: tuple[Name, ...] = ()
    unequal_budgets: bool = False
    statistics: StatisticsPlan = StatisticsPlan()

    @classmethod
    def load(cls, path_or_name: str | Path) -> Self:
        """Read a plan from a YAML file, or a shipped one by its name.

        Raises:
            HarnessError: The file cannot be read or is not a plan: a line for each mistake.
        """
        file = load_yaml(find_plan(path_or_name))
        try:
            return cls.model_validate(file.tree)
        except ValidationError as error:
            problems = Problems(file)
            problems.add_invalid(error, model=cls)
            problems.raise_if_any()
            raise

    @classmethod
    def of_searches(cls, searches: Sequence[str], *, name: str = "", seeds: int = 3) -> Self:
        """The plan of `--search NAME...`; without a name it is `a-vs-b`."""
        tree = {"name": name or "-vs-".join(searches), "searches": searches, "seeds": seeds}
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            raise HarnessError(_in_one_line(error, cls)) from None

    def with_options(self, **options: Any) -> Self:
        """A copy with some fields replaced, None for as it is; those of `statistics` by name, too.

        Raises:
            HarnessError: A value is out of its range.
        """
        fields = StatisticsPlan.model_fields
        inner = {name: value for name, value in options.items() if name in fields}
        outer = {name: value for name, value in options.items() if name not in fields}
        return _replaced(self, outer | {"statistics": self.statistics.with_options(**inner)})

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, name: str) -> str:
        if name == "searches":
            raise ValueError("a benchmark cannot be named 'searches': that folder is taken")
        return name

    @model_validator(mode="after")
    def _compares_different_things(self) -> Self:
        names = (*self.searches, *self.recipes)
        if not names:
            raise ValueError("nothing to compare: name searches or recipes")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"named twice: {', '.join(twice)}")
        return self


def _replaced(plan: Plan, options: Mapping[str, Any]) -> Plan:
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return type(plan).model_validate({**dict(plan), **given})
    except ValidationError as error:
        raise HarnessError(_in_one_line(error, type(plan))) from None


def _in_one_line(error: ValidationError, model: type[BaseModel]) -> str:
    return "; ".join(describe_invalid(dict(item), model=model) for item in error.errors())


def shipped_plans() -> dict[str, Path]:
    """Path of every shipped plan by its name, in the order of the names."""
    return {
        path.stem: path for path in sorted((shipped_spaces_dir() / "benchmarks").glob("*.yaml"))
    }


def find_plan(path_or_name: str | Path) -> Path:
    """The file of a plan, given as a path or as the name of a shipped one.

    Raises:
        HarnessError: There is neither such a file nor such a name.
    """
    path, shipped = Path(path_or_name), shipped_plans()
    if path.is_file():
        return path
    if str(path_or_name) in shipped:
        return shipped[str(path_or_name)]
    near = did_you_mean(path.stem, shipped)
    raise HarnessError(
        f"no benchmark {str(path_or_name)!r}{near}: no such file; shipped are {', '.join(shipped)}"
    )
