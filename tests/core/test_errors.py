from harness.core.errors import did_you_mean


def test_the_nearest_name_is_suggested() -> None:
    assert did_you_mean("danynet", ["chexnet", "dannynet"]) == " (did you mean 'dannynet'?)"
    assert did_you_mean("1", [1, 2]) == " (did you mean '1'?)"


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    assert did_you_mean("resnet", ["chest"]) == ""
    assert did_you_mean("x", []) == ""
