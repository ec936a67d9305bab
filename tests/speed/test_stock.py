"""The stock peer searches the same space as the harness."""

import pytest
from ray.tune.search.sample import Categorical, Float, Integer

from harness.core.parameters import Choice, FloatRange, IntRange
from harness.speed.stock import _domain, param_space
from harness.speed.trivial_search import TrivialSearch


def test_every_parameter_is_given_to_ray(tmp_path):
    space = TrivialSearch(tmp_path, 1).space
    given = param_space(space)
    assert set(given) == set(space.space)
    for path, parameter in space.space.items():
        assert (given[path].lower, given[path].upper) == (parameter.low, parameter.high)
        assert isinstance(given[path], Float)
    assert type(given["optim.lr"].sampler).__name__ == "_LogUniform"
    assert type(given["loss.gamma"].sampler).__name__ == "_Uniform"


@pytest.mark.parametrize("kind", ["int", "log_int"])
def test_ranges_of_whole_numbers_keep_their_upper_end(kind):
    domain = _domain(IntRange(kind=kind, low=1, high=4, default=2))
    assert isinstance(domain, Integer)
    assert {domain.sample() for _ in range(300)} == {1, 2, 3, 4}


def test_choices_and_logarithms():
    assert isinstance(_domain(Choice(kind="choice", choices=("a", "b"), default="a")), Categorical)
    wide = _domain(FloatRange(kind="log_float", low=1e-6, high=1.0, default=0.1))
    below = sum(wide.sample() < 1e-3 for _ in range(400))
    assert 140 < below < 260  # half of the draws lie below the geometric mean
