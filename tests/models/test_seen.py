"""What weights have seen is told, inherited and held against a test set."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.core.errors import HarnessError
from harness.core.files import write_json
from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.core.run_dir import RunDirectory
from harness.data.splits import make_split
from harness.data.store import StoreOrigin, write_store
from harness.models.seen import NAMED, Seen, contamination, files_of, seen_by, seen_metadata
from harness.models.zoo import IMAGENET, RANDOM
from harness.trial import run_trial


@pytest.fixture(scope="module")
def split(toy_store):
    return make_split(toy_store, "official")


@pytest.fixture
def other_split(toy_store, tmp_path):
    """The official split with two patients of its test in train, as a folder of lists."""
    split = make_split(toy_store, "official")
    moved = split.test[:4]
    rows = {
        "train": [*split.train, *moved],
        "val": split.val,
        "test": [row for row in split.test if row not in moved],
    }
    for part, row in rows.items():
        names = toy_store.table["image"].iloc[row]
        (tmp_path / f"{part}_list.txt").write_text("\n".join(names) + "\n")
    return make_split(toy_store, f"file:{tmp_path}")


def weights_of(folder: Path, metadata: dict[str, str] | None) -> str:
    path = folder / "start.safetensors"
    save_file({"a": torch.ones(1)}, path, metadata=metadata)
    return str(path)


def with_beside(folder: Path, told: object) -> str:
    path = folder / "chexnet.pth"
    torch.save({"a": torch.ones(1)}, path)
    write_json(folder / "chexnet.pth.seen.json", told)
    return str(path)


def test_every_name_for_weights_says_what_it_has_seen():
    assert set(NAMED) == {RANDOM, IMAGENET}
    assert seen_by("imagenet") == seen_by("none") == ()


def test_a_run_needs_what_lies_beside_its_weights(tmp_path):
    assert files_of("imagenet") == files_of("none") == ()
    alone = Path(weights_of(tmp_path, None))
    assert files_of(str(alone)) == (alone,)
    told = Path(with_beside(tmp_path, []))
    assert files_of(str(told)) == (told, tmp_path / "chexnet.pth.seen.json")


@pytest.mark.parametrize("weights", ["none", "imagenet"])
def test_no_xrays_no_contamination(weights, split, toy_store):
    assert contamination(weights, split, toy_store) is None


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
def test_a_file_that_says_nothing_is_not_trusted(name, split, toy_store, tmp_path):
    path = tmp_path / name
    if name == "a.pth":
        torch.save({"a": torch.ones(1)}, path)
    else:
        save_file({"a": torch.ones(1)}, path, metadata={"format": "pt"})
    assert seen_by(str(path)) == (Seen(source="unknown"),)
    reason = contamination(str(path), split, toy_store)
    assert reason.startswith(f"{name} does not say which X-rays it was trained on")
    assert "\n" not in reason


def test_weights_of_the_same_split_are_clean(split, toy_store, tmp_path):
    weights = weights_of(tmp_path, seen_metadata("none", split, toy_store.manifest))
    assert contamination(weights, split, toy_store) is None


def test_shared_test_patients_are_counted(split, other_split, toy_store, tmp_path):
    weights = weights_of(tmp_path, seen_metadata("none", other_split, toy_store.manifest))
    reason = contamination(weights, split, toy_store)
    num_tested = toy_store.table["patient"].iloc[split.test].nunique()
    assert f"was trained on 2 of the {num_tested} test patients" in reason
    assert other_split.name in reason


def test_another_split_without_the_test_patients_is_clean(split, other_split, toy_store, tmp_path):
    """`other_split` trains on all that the official one does; its test is a part of the other's."""
    weights = weights_of(tmp_path, seen_metadata("none", split, toy_store.manifest))
    assert contamination(weights, other_split, toy_store) is None


def test_a_split_that_cannot_be_made_anew_is_not_trusted(split, other_split, toy_store, tmp_path):
    weights = weights_of(tmp_path, seen_metadata("none", other_split, toy_store.manifest))
    for path in tmp_path.glob("*_list.txt"):
        path.unlink()
    assert "in which images of this test set may be" in contamination(weights, split, toy_store)


def test_a_name_without_its_hash_is_not_trusted(split, toy_store, tmp_path):
    told = {"source": "toy", "split": "official"}
    weights = with_beside(tmp_path, [told])
    assert "may be" in contamination(weights, split, toy_store)
    with_beside(tmp_path, [told | {"split_sha256": split.sha256[:12]}])
    assert contamination(weights, split, toy_store) is None


def test_other_sources_are_clean(split, toy_store, tmp_path):
    weights = with_beside(tmp_path, [{"source": "padchest"}])
    assert contamination(weights, split, toy_store) is None
    assert contamination(with_beside(tmp_path, []), split, toy_store) is None


def test_chestmnist_is_nih(toy_store, tmp_path):
    told = {name: getattr(toy_store.manifest, name) for name in StoreOrigin.model_fields}
    store = write_store(
        tmp_path / "nih", images=np.array(toy_store.images), table=toy_store.table, boxes=None,
        origin=StoreOrigin(**told | {"source": "nih"}),
    )  # fmt: skip
    weights = with_beside(tmp_path, [{"source": "chestmnist", "split": "as_given"}])
    reason = contamination(weights, make_split(store, "official"), store)
    assert reason.startswith("chexnet.pth was trained on the split 'as_given' of chestmnist")


def test_the_header_goes_before_the_file_beside(split, toy_store, tmp_path):
    weights = weights_of(tmp_path, seen_metadata("none", split, toy_store.manifest))
    write_json(tmp_path / "start.safetensors.seen.json", [])
    assert seen_by(weights)[0].source == "toy"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ('[{"sauce": "nih"}]', r"0\.source: Field required"),
        ('[{"source": "nih", "split_sha256": "62b"}]', r"0\.split_sha256"),
        ('"nih"', "tuple"),
    ],
)
def test_a_file_beside_that_says_nothing_sensible(text, said, tmp_path):
    weights = with_beside(tmp_path, [])
    beside = tmp_path / "chexnet.pth.seen.json"
    beside.write_text(text)
    with pytest.raises(HarnessError, match=said) as caught:
        seen_by(weights)
    assert str(beside) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_s_weights_say_what_they_and_their_start_have_seen(toy_store, split, tmp_path):
    recipe = Recipe().with_values({
        "data.store": toy_store.fingerprint, "data.resize_px": 32, "data.input_px": 32,
        "model.name": "densenet_mini", "model.weights": "none", "train.epochs": 1,
        "train.batch_size": 64,
    })  # fmt: skip
    machine = Machine(store=toy_store.path, device="cpu")
    first, second = tmp_path / "first", tmp_path / "second"
    run_trial(recipe, machine, first)
    best = RunDirectory(first).best_weights
    own = Seen(source="toy", split="official", split_sha256=split.sha256)
    assert seen_by(str(best)) == (own,)
    assert contamination(str(best), split, toy_store) is None

    stranger = Seen(source="unknown")
    save_file(load_file(best), tmp_path / "stranger.safetensors")
    run_trial(
        recipe.with_values({"model.weights": str(tmp_path / "stranger.safetensors")}),
        machine,
        second,
    )
    assert seen_by(str(RunDirectory(second).best_weights)) == (own, stranger)
