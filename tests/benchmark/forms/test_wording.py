import pytest

from harness.benchmark.forms.wording import listed, number, plain, signed


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "+0.012"), (-0.0123, "−0.012"), (-0.0004, "0.000"), (0.0, "0.000")],
)
def test_a_difference_has_a_sign_unless_it_is_nothing(value: float, text: str) -> None:
    assert signed(value) == text


def test_control_characters_become_blanks() -> None:
    assert plain("a\nb\x00\x07c\u2028d\u202ee") == "a b c d e"


def test_numbers_have_a_minus_and_lists_an_and() -> None:
    assert number(-1.5, 1) == "−1.5"
    assert [listed(names) for names in ((), "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
