import numpy as np

from harness.core.machine_code import compiled


def _ratios(top_N, bottom):
    for place in range(len(top_N)):
        top_N[place] /= bottom


def test_a_loop_is_compiled_and_divides_as_numpy_does():
    ratios = compiled(_ratios)
    value_N = np.array([1.0, -2.0, 0.0])
    ratios(value_N, 0.0)
    assert value_N.tolist()[:2] == [np.inf, -np.inf]
    assert np.isnan(value_N[2])


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(monkeypatch):
    import numba

    real = numba.njit

    def without_a_folder(**options):
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(numba, "njit", without_a_folder)
    value_N = np.array([6.0])
    compiled(_ratios)(value_N, 2.0)
    assert value_N.tolist() == [3.0]
