import pytest
from pydantic import BaseModel, ValidationError

from harness.core import registered as module
from harness.core.registered import NameIn, registered

SOURCE = """
import torch
THINGS: dict[str, Kind] = {
    "one": Kind(torch.ones, "a: b"),
    **{}, "two": lambda x: x,
}
PLAIN = {"a": 1}
CALLED: dict[str, int] = dict(a=1)
"""


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    """A package whose file could not even be imported."""
    (tmp_path / "things.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    registered.cache_clear()
    yield
    registered.cache_clear()


def test_the_keys_are_read_in_their_order() -> None:
    assert registered("things.py:THINGS") == ("one", "two")


@pytest.mark.parametrize("name", ["PLAIN", "NONE", "torch"])
def test_where_there_is_no_such_dict(name) -> None:
    with pytest.raises(LookupError, match=f"things.py has no dict '{name}'"):
        registered(f"things.py:{name}")


def test_a_dict_that_is_not_written_out() -> None:
    with pytest.raises(AssertionError, match="not written out"):
        registered("things.py:CALLED")


def test_to_pydantic_it_is_a_literal() -> None:
    from typing import Annotated, Literal

    class Read(BaseModel):
        name: Annotated[str, NameIn("things.py:THINGS")] = "one"

    class Written(BaseModel):
        name: Literal["one", "two"] = "one"

    def refusals(model: type[BaseModel]) -> list[object]:
        with pytest.raises(ValidationError) as caught:
            model(name="three")
        return [{**error, "url": ""} for error in caught.value.errors()]

    assert Read.model_json_schema()["properties"] == Written.model_json_schema()["properties"]
    assert refusals(Read) == refusals(Written)
    assert Read(name="two").model_dump_json() == Written(name="two").model_dump_json()
