"""A copy stays as it was while what it was taken of moves, and takes no new memory."""

import pytest
import torch

from harness.training.snapshot import Snapshot


def tree(value: float) -> dict[str, object]:
    return {
        "weights": {"a": torch.full((2, 3), value), "b": torch.full((2,), value).double()},
        "groups": [{"lr": value, "params": [0, 1]}, {"step": torch.tensor(value)}],
        "pair": (torch.tensor([True]), "x"),
        "none": None,
    }


def test_a_copy_is_equal_and_stays_so():
    state = tree(1.0)
    copy = Snapshot().take(state)
    assert repr(copy) == repr(tree(1.0))
    state["weights"]["a"].add_(1)
    state["groups"][0]["lr"] = 5
    assert repr(copy) == repr(tree(1.0))


def test_buffers_are_used_again():
    snapshot = Snapshot()
    first = snapshot.take(tree(1.0))
    second = snapshot.take(tree(2.0))
    assert second["weights"]["a"] is first["weights"]["a"]
    assert repr(second) == repr(tree(2.0))


def test_a_tensor_of_another_shape_or_type_gets_a_buffer_of_its_own():
    snapshot = Snapshot()
    small = snapshot.take({"a": torch.zeros(2)})["a"]
    for tensor in (torch.ones(3), torch.ones(3).double()):
        copy = snapshot.take({"a": tensor})["a"]
        assert copy is not small
        assert copy.dtype == tensor.dtype
        assert torch.equal(copy, tensor)


def test_the_order_in_memory_is_kept():
    tensor = torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    assert Snapshot().take({"a": tensor})["a"].stride() == tensor.stride()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
def test_a_copy_from_a_gpu_is_pinned_and_complete():
    tensor = torch.rand(1000, 1000, device="cuda")
    copy = Snapshot().take({"a": tensor})["a"]
    assert copy.is_pinned()
    assert torch.equal(copy, tensor.cpu())
