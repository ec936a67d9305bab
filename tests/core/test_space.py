import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.core.errors import HarnessError
from harness.core.recipe import Recipe
from harness.core.space import (
    SearchSpace,
    describe_space,
    find_space,
    shipped_spaces,
    shipped_spaces_dir,
)
from harness.core.space_checks import MAX_CORNERS, corners
from harness.words import space_of

HEADER = "name: mine\ntitle: A title\nsource: ours\n"
LR = "  optim.lr: {kind: log_float, low: 1e-5, high: 1e-3, default: 1e-4}\n"
FOCAL = """\
  loss.gamma: {kind: float, low: 0, high: 4, default: 2, when: {loss.name: focal}}
  loss.name: {kind: choice, choices: [bce, focal], default: bce}
  loss.alpha: {kind: float, low: 0.5, high: 2, default: 1, when: {loss.name: [focal]}}
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def space(write) -> SearchSpace:
    return SearchSpace.load(write(HEADER + "space:\n" + LR + FOCAL))


def problems_of(path: Path) -> list[str]:
    """`LINE: message` of each mistake."""
    with pytest.raises(HarnessError) as caught:
        SearchSpace.load(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


def problems_of_space(write, parameters: str, *, more: str = "") -> list[str]:
    """Mistakes of a file whose `space:` is in line 4."""
    return problems_of(write(HEADER + "space:\n" + parameters + more))


# Points -------------------------------------------------------------------------------------


def test_the_default_point_has_the_active_values_alone(space) -> None:
    assert space.default_values() == {"optim.lr": 1e-4, "loss.name": "bce"}
    recipe = space.recipe(space.default_values())
    assert recipe == Recipe(loss={"name": "bce"}, optim={"lr": 1e-4})


def test_parents_come_before_what_hangs_on_them(space) -> None:
    order = list(space.parameters)
    assert order.index("loss.name") < order.index("loss.gamma")
    assert sorted(order) == ["loss.alpha", "loss.gamma", "loss.name", "optim.lr"]


def test_sample_asks_for_active_parameters_only(space) -> None:
    asked = []

    def draw(path, parameter):
        asked.append(path)
        return "focal" if path == "loss.name" else parameter.high

    values = space.sample(draw)
    assert asked == list(values)
    assert values == {"optim.lr": 1e-3, "loss.name": "focal", "loss.gamma": 4, "loss.alpha": 2}
    assert space.recipe(values).loss.gamma == 4.0


def test_values_of_inactive_parameters_are_passed_over(space) -> None:
    values = {"optim.lr": 1e-4, "loss.name": "bce", "loss.gamma": 3.0}
    assert space.active(values) == {"optim.lr": 1e-4, "loss.name": "bce"}
    assert space.recipe(values).loss.gamma == Recipe().loss.gamma


def test_conditions_on_constants_of_the_base(write) -> None:
    when = "  loss.gamma: {kind: float, low: 0, high: 4, default: 3, when: {loss.name: focal}}\n"
    focal = SearchSpace.load(write(HEADER + "space:\n" + LR + when))
    assert focal.default_values() == {"optim.lr": 1e-4, "loss.gamma": 3}
    bce = SearchSpace.load(write(HEADER + "base: {loss: {name: bce}}\nspace:\n" + LR + when))
    assert bce.default_values() == {"optim.lr": 1e-4}


def test_a_parameter_hangs_on_what_the_recipe_has_where_its_parent_is_inactive(write) -> None:
    chain = """\
  schedule.patience: {kind: int, low: 0, high: 1, default: 0, when: {schedule.name: plateau}}
  schedule.name: {kind: choice, choices: [plateau, cosine], default: cosine}
  schedule.factor: {kind: float, low: 0.1, high: 0.5, default: 0.2, when: {schedule.patience: 1}}
"""
    space = SearchSpace.load(write(HEADER + "space:\n" + chain))
    assert space.base.schedule.patience == 1
    assert space.default_values() == {"schedule.name": "cosine", "schedule.factor": 0.2}
    values = {"schedule.name": "plateau", "schedule.patience": 0, "schedule.factor": 0.2}
    assert list(space.active(values)) == ["schedule.name", "schedule.patience"]


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"loss.name": "bce"}, "optim.lr has no value"),
        ({"optim.lr": 1.0, "loss.name": "bce"}, "optim.lr 1.0 is not in 1e-05 to 0.001"),
        ({"optim.lr": 1e-4, "loss.name": "mse"}, "'mse' is not in bce, focal"),
        ({"optim.lt": 1e-4, "loss.name": "bce"}, "'optim.lt' (did you mean 'optim.lr'?)"),
    ],
)
def test_points_outside_are_refused(space, values, part) -> None:
    with pytest.raises(HarnessError) as caught:
        space.recipe(values)
    assert part in str(caught.value)


def test_corners(space) -> None:
    found = list(corners(space.base, space.parameters))
    assert found[0] == space.default_values()
    points = {tuple(sorted(values.items())) for values in found[1:]}
    assert len(points) == 2 + 2 * 2 * 2  # lr with bce; lr, gamma and alpha with focal
    for values in found:
        space.recipe(values)


def test_of_too_many_corners_some_are_drawn(space) -> None:
    paths = ["optim.momentum", "augment.flip", "augment.jitter", "optim.layer_decay"]
    choices = {"kind": "choice", "choices": [0.1 * k for k in range(1, 10)], "default": 0.1}
    tree = {"name": "big", "title": "", "source": "", "space": dict.fromkeys(paths, choices)}
    big = SearchSpace.model_validate(tree)
    found = list(corners(big.base, big.parameters))
    assert len(found) == 1 + MAX_CORNERS
    assert found == list(corners(big.base, big.parameters))


# Published or not ---------------------------------------------------------------------------

PUBLISHED = HEADER + "published: true\n"
NAME = "  loss.name: {kind: choice, choices: [bce, focal], default: bce}\n"


def test_of_the_shipped_spaces_three_begin_at_a_published_recipe() -> None:
    spaces = [SearchSpace.load(name) for name in shipped_spaces()]
    assert {space.name for space in spaces if space.published} == {
        "dannynet",
        "chexnet",
        "vit_base",
    }
    for space in spaces:
        assert space.published != space.source.startswith("ours"), space.name


def test_a_space_is_not_published_unless_it_says_so(space, write) -> None:
    assert not space.published
    (problem,) = problems_of(write(HEADER + "published: perhaps\nspace:\n" + LR))
    assert problem.startswith("4: published: ")


@pytest.mark.parametrize(
    ("values", "is_published"),
    [
        ({}, True),
        ({"train.epochs": Recipe().train.epochs}, True),
        ({"loss.name": "bce"}, True),  # fixed at its default; `focal` stands in the base
        ({"data.split": "dacnet_70_10_20"}, True),  # where it is trained, not how
        ({"train.epochs": 5}, False),
        ({"model.weights": "none"}, False),
        ({"optim.lr": 5e-5}, False),  # as in the base, but trial 0 had the parameter's default
        ({"loss.name": "focal"}, False),
    ],
)
def test_another_default_point_is_published_no_more(write, values, is_published) -> None:
    space = SearchSpace.load(write(PUBLISHED + "space:\n" + LR + NAME))
    assert (space.base.optim.lr, space.base.loss.name) == (5e-5, "focal")
    assert space.with_base(values).published == is_published


def test_a_fixed_parameter_is_searched_no_more(space) -> None:
    fixed = space.with_base({"loss.name": "bce"})
    assert set(fixed.space) < set(space.space)
    assert fixed.base.loss.name == "bce"
    with pytest.raises(
        HarnessError, match=r"^mine: with .*loss.name.* fixed, nothing is searched$"
    ):
        space.with_base({path: each.default for path, each in space.space.items()})


def test_a_space_may_be_searched_in_another_way(space) -> None:
    assert space.with_search({}) == space
    other = space.with_search({"sampler": "random", "num_startup_trials": 4})
    assert (other.search.sampler, other.search.num_startup_trials) == ("random", 4)
    assert other.search.scheduler == space.search.scheduler
    assert other.space == space.space
    with pytest.raises(HarnessError, match=r"^mine: .*sampler.*random.*'grid'") as told:
        space.with_search({"sampler": "grid"})
    assert "\n" not in str(told.value)


def test_nothing_makes_a_space_published(space) -> None:
    assert not space.with_base({}).published


@pytest.mark.parametrize(
    ("values", "is_published"),
    [({}, True), ({"train.epochs": 5}, False), ({"model.weights": "other.pth"}, False)],
)
def test_a_file_of_weights_by_its_absolute_path_is_the_same(
    write, monkeypatch, values, is_published
) -> None:
    path = write(PUBLISHED + "base: {model: {weights: mine.pth}}\nspace:\n" + LR)
    monkeypatch.chdir(path.parent)
    chosen = space_of(str(path), values)
    assert chosen.published == is_published
    weights = values.get("model.weights", str(path.parent / "mine.pth"))
    assert chosen.base.model.weights == weights


# As a value ---------------------------------------------------------------------------------


def test_a_space_survives_json(space) -> None:
    tree = json.loads(json.dumps(space.model_dump(mode="json")))
    assert SearchSpace.model_validate(tree) == space


def test_a_space_that_was_written_before_it_could_say_published_is_read(space) -> None:
    tree = space.model_dump(mode="json")
    del tree["published"]
    assert SearchSpace.model_validate(tree) == space


def test_a_space_built_in_code_is_checked_too() -> None:
    parameter = {"kind": "float", "low": 0, "high": 2, "default": 0}
    tree = {"name": "x", "title": "", "source": "", "space": {"augment.flip": parameter}}
    with pytest.raises(ValidationError, match=r"augment\.flip\.high: should be less than or equal"):
        SearchSpace.model_validate(tree)


def test_rows_for_people(space) -> None:
    assert describe_space(space)[0] == {
        "parameter": "optim.lr", "range": "1e-05 to 0.001 (log)", "default": "0.0001", "when": "",
    }  # fmt: skip
    when = {row["parameter"]: row["when"] for row in describe_space(space)}
    assert when["loss.gamma"] == when["loss.alpha"] == "loss.name is focal"


# Finding ------------------------------------------------------------------------------------


def test_shipped_spaces_are_found_by_name_from_anywhere(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_space("dannynet") == shipped_spaces_dir() / "dannynet.yaml"
    assert SearchSpace.load("dannynet-mini").base.model.name == "densenet_mini"
    assert list(shipped_spaces()) == sorted(shipped_spaces())


def test_a_file_goes_before_a_name(write, monkeypatch) -> None:
    path = write(HEADER + "space:\n" + LR)
    assert SearchSpace.load(str(path)).name == "mine"
    monkeypatch.chdir(path.parent)
    path.rename("dannynet")
    assert SearchSpace.load("dannynet").name == "mine"


@pytest.mark.parametrize("wrong", ["danynet", "spaces/danynet.yaml"])
def test_an_unknown_space_is_met_with_the_nearest_and_the_list(wrong) -> None:
    with pytest.raises(HarnessError) as caught:
        SearchSpace.load(wrong)
    message = str(caught.value)
    assert message.startswith(f"no search space {wrong!r} (did you mean 'dannynet'?)")
    assert "chexnet, " in message
    assert "\n" not in message


# Mistakes -----------------------------------------------------------------------------------


def test_all_mistakes_are_shown_together(write) -> None:
    path = write("""\
name: Mine
titel: x
source: y
base:
  optim: {lr: 1, nam: adam}
  train: {epochs: "3"}
space:
  optm.lr: {kind: float, low: 1, high: 2, default: 1}
  optim.lr: {kind: logfloat, low: 1, high: 2, default: 1}
  augment.flip: {kind: float, low: 1, high: 0.5, default: 1}
  optim.weight_decay: {kind: log_float, low: 0, high: 0.2, default: 0.1}
  loss.gamma: {kind: float, low: 0, high: 2,
    default: 3}
  loss.alpha: {kind: float, lo: 0, high: 2, default: 3}
  augment.crop: {kind: choice, choices: [], default: true}
  augment.jitter: 3
search: {sampler: tp, grace_epoch: 3}
""")
    assert problems_of(path) == [
        "1: missing key 'title'",
        "1: name: should match pattern '^[a-z0-9][a-z0-9_-]*$', not 'Mine'",
        "2: unknown key 'titel' (did you mean 'title'?)",
        "5: unknown key 'base.optim.nam' (did you mean 'name'?)",
        "6: base.train.epochs: should be a valid integer, not '3'",
        "8: unknown recipe path 'optm.lr' (did you mean 'optim.lr'?)",
        "9: unknown kind 'logfloat' (did you mean 'log_float'?); there are "
        "float, log_float, int, log_int, choice",
        "10: space.augment.flip: low 1 is above high 0.5",
        "11: space.optim.weight_decay: log_float needs a low above 0, not 0",
        "12: space.loss.gamma: default 3 is outside 0 to 2",
        "14: missing key 'space.loss.alpha.low'",
        "14: unknown key 'space.loss.alpha.lo' (did you mean 'low'?)",
        "15: space.augment.crop.choices: should have at least 1 item after validation, not 0",
        "16: space.augment.jitter needs a kind: float, log_float, int, log_int, choice",
        "17: search.sampler: should be 'tpe', 'gp' or 'random', not 'tp' (did you mean 'tpe'?)",
        "17: unknown key 'search.grace_epoch' (did you mean 'grace_epochs'?)",
    ]


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        (
            "model.drop_path: {kind: float, low: 0.1, high: 1, default: 0.1}",
            "space.model.drop_path.high: should be less than 1, not 1.0",
        ),
        (
            "train.batch_size: {kind: log_float, low: 1, high: 8, default: 4}",
            "train.batch_size is a whole number: use int, log_int or choice",
        ),
        (
            "loss.reduction: {kind: choice, choices: [mean, summ], default: mean}",
            "space.loss.reduction.choices[1]: should be 'mean' or 'sum', not 'summ' "
            "(did you mean 'sum'?)",
        ),
        (
            "augment.crop: {kind: choice, choices: [true, 0], default: true}",
            "space.augment.crop.choices[1]: should be a valid boolean, not 0",
        ),
        (
            "seed: {kind: int, low: 0, high: 9, default: 1}",
            "seed is not searched: trials that differ in it cannot be compared",
        ),
        (
            "loss.gamma: {kind: float, low: 0, high: 4, default: 2, when: {loss.name: focl}}",
            "space.loss.gamma.when.loss.name: should be 'bce' or 'focal', not 'focl' "
            "(did you mean 'focal'?)",
        ),
        (
            "loss.gamma: {kind: float, low: 0, high: 4, default: 2, when: {loss.nam: focal}}",
            "space.loss.gamma.when.loss.nam: unknown parameter 'loss.nam' "
            "(did you mean 'loss.name'?)",
        ),
        (
            "loss.gamma: {kind: float, low: 0, high: 4, default: 2, when: {loss.gamma: 1.0}}",
            "the conditions go in a circle: loss.gamma -> loss.gamma",
        ),
        (
            "optim.momentum: {kind: float, low: 0, high: '1', default: 0}",
            "space.optim.momentum.high: should be a valid number, not '1'",
        ),
    ],
)
def test_a_parameter_that_does_not_fit_the_recipe(write, parameter, message) -> None:
    assert problems_of_space(write, f"  {parameter}\n") == [f"5: {message}"]


def test_a_condition_that_a_searched_parameter_never_meets(write) -> None:
    name = "  loss.name: {kind: choice, choices: [bce], default: bce}\n"
    gamma = "  loss.gamma: {kind: float, low: 0, high: 4, default: 2, when: {loss.name: focal}}\n"
    assert problems_of_space(write, name + gamma) == ["6: loss.name is never 'focal' in this space"]


def test_conditions_in_a_circle(write) -> None:
    name = "  loss.name: {kind: choice, choices: [bce, focal], default: bce, when: {seed: 1}}\n"
    gamma = "  loss.gamma: {kind: int, low: 0, high: 4, default: 2, when: {loss.alpha: 1}}\n"
    alpha = "  loss.alpha: {kind: int, low: 1, high: 4, default: 2, when: {loss.gamma: 1}}\n"
    (problem,) = problems_of_space(write, name + gamma + alpha)
    assert "circle" in problem
    assert "loss.alpha -> loss.gamma" in problem


def test_a_base_that_contradicts_the_default_is_shown_where_it_stands(write) -> None:
    more = "base:\n  optim:\n    lr: 5e-4\n"
    assert problems_of_space(write, LR, more=more) == [
        "8: base.optim.lr 0.0005 is not the default 0.0001 of line 5: leave it out"
    ]
    SearchSpace.load(write(HEADER + "space:\n" + LR + more.replace("5e-4", "1e-4")))


def test_grace_must_outlast_the_plateaus_patience(write) -> None:
    base = "base: {schedule: {patience: 3}}\n"
    short = "search: {grace_epochs: 4}\n"
    assert problems_of_space(write, LR, more=base + short) == [
        "7: grace_epochs 4 is too short: "
        "with patience 3 the plateau schedule lowers lr after epoch 5 at the earliest; "
        "give 5 or more"
    ]
    text = HEADER + "space:\n" + LR
    SearchSpace.load(write(text + base + "search: {grace_epochs: 5}\n"))
    SearchSpace.load(write(text + base + "search: {grace_epochs: 4, scheduler: none}\n"))
    SearchSpace.load(write(text + "base: {schedule: {name: cosine, patience: 3}}\n" + short))


def test_grace_looks_at_the_longest_patience_that_is_searched(write) -> None:
    patience = "  schedule.patience: {kind: int, low: 0, high: 6, default: 0}\n"
    (problem,) = problems_of_space(write, patience, more="search: {grace_epochs: 7}\n")
    assert problem.startswith("6: grace_epochs 7 is too short")
    SearchSpace.load(write(HEADER + "space:\n" + patience + "search: {grace_epochs: 8}\n"))


def test_grace_must_leave_epochs_to_save(write) -> None:
    more = "base: {train: {epochs: 4}}\nsearch: {grace_epochs: 4}\n"
    assert problems_of_space(write, LR, more=more) == [
        "7: grace_epochs 4 leaves none of 4 epochs to save: "
        "give train.epochs 5 or more, or scheduler none"
    ]


def test_grace_must_end_at_a_report(write) -> None:
    base = "base: {schedule: {name: cosine}}\n"
    assert problems_of_space(write, LR, more=base + "search: {grace_epochs: 0.25}\n") == [
        "7: grace_epochs 0.25 falls between reports, of which reports_per_epoch 1 gives 1 an "
        "epoch: give reports_per_epoch 4, or grace_epochs 1"
    ]
    more = base + "search: {grace_epochs: 1.4, reports_per_epoch: 4}\n"
    (problem,) = problems_of_space(write, LR, more=more)
    assert problem.endswith("give reports_per_epoch 5, or grace_epochs 1.5")
    for grace, reports in ((0.25, 4), (0.5, 4), (0.333, 3), (1, 1), (1.5, 2)):
        told = f"search: {{grace_epochs: {grace}, reports_per_epoch: {reports}}}\n"
        SearchSpace.load(write(HEADER + "space:\n" + LR + base + told))


def test_every_corner_must_be_a_recipe(write) -> None:
    sizes = "  data.input_px: {kind: int, low: 64, high: 320, default: 224}\n"
    assert problems_of_space(write, sizes) == [
        "4: no valid recipe at data.input_px 320: "
        "data.input_px 320 is larger than data.resize_px 256"
    ]


def test_unconditional_gamma_beside_a_choice_of_loss(write) -> None:
    """The mistake that `when` is there for."""
    gamma = "  loss.gamma: {kind: float, low: 0, high: 4, default: 2}\n"
    name = "  loss.name: {kind: choice, choices: [bce, focal], default: bce}\n"
    (problem,) = problems_of_space(write, gamma + name)
    assert "loss.gamma 0.0, loss.name bce" in problem
    assert "belong to loss.name: focal" in problem


@pytest.mark.parametrize("space", ["", "space:\n", "space: []\n", "space: 3\n", "space: {}\n"])
def test_a_file_without_parameters(write, space) -> None:
    (problem,) = problems_of(write(HEADER + space))
    assert "at least one parameter" in problem
