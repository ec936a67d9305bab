"""Mistakes on the command line: each is one line that names the cure, exit code 2, and no harm.

In this process, since a process of its own takes seconds to import what it needs.
"""

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from harness.core.errors import HarnessError
from harness.core.findings import FINDINGS
from harness.core.run_dir import RunDirectory
from tests.conftest import run_command

SMALL = [
    "--set", "data.resize_px=32", "--set", "data.input_px=32", "--set", "train.epochs=4",
    "--set", "train.early_stop_epochs=4",
]  # fmt: skip
NO_SPACE = """\
name: mine
title: mine
source: ours
base:
  optim:
    nmae: adamw
space:
  optim.rl: { kind: log_float, low: 1e-4, high: 1e-2, default: 1e-3 }
  optim.weight_decay: { kind: log_float, low: 1e-1, high: 1e-6, default: 1e-5 }
  loss.gamma: { kind: flaot, low: 0, high: 4, default: 2 }
"""
pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def mistake(harness):
    """Runs a command that is a mistake; gives the one line that is said of it."""

    def run(*words) -> str:
        code, _, err = harness(*words)
        lines = [line for line in err.splitlines() if line.startswith("harness: ")]
        assert code == 2, err
        assert err.splitlines()[-1:] == lines, "one line, and it comes last"
        return lines[0].removeprefix("harness: ")

    return run


@pytest.fixture
def search(toy_store):
    """The words of a small search of `toy_store`, with more of them or others."""

    def words(*more, space="dannynet-mini", trials=1):
        return ("search", space, "--data", toy_store.path, "--trials", trials, *SMALL, *more)

    return words


@pytest.fixture(scope="module")
def searched(toy_store, tmp_path_factory):
    """A results folder, with a space in its name, that holds a search of one trial."""
    lab = tmp_path_factory.mktemp("lab")
    (lab / "link").symlink_to(toy_store.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(lab)
        words = ("search", "dannynet-mini", "--data", "link", "--trials", "1", "--name", "first")
        assert run_command(patch, *words, "--results", "our results", *SMALL) == 0
    return lab / "our results"


def files_of(folder: Path) -> dict[Path, bytes]:
    """The files that hold results, which no mistake may touch."""
    names = ("search.json", "recipe.json", "record.json", "status.json", "metrics.jsonl")
    return {path: path.read_bytes() for path in folder.rglob("*") if path.name in names}


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# The words themselves ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["serch"], "Did you mean 'search'"),
        (["search", "dannynet", "--triasl", "3"], "--trials"),
        (["search", "dannynet"], "Missing option '--data'"),
        (["search", "dannynet", "--data", "x", "--trials", "0"], "--trials 0: give a number"),
        (["search", "dannynet", "--data", "x", "--trials", "few"], "--trials few: give a number"),
        (["search", "dannynet", "--data", "x", "--trials", "+0"], "--trials +0: give a number"),
        (["search", "dannynet", "dannynet", "--data", "x", "--trials", "3"], "named 'dannynet'"),
        (
            ["search", "dannynet", "chexnet", "--data", "x", "--trials", "3", "--name", "y"],
            "--name",
        ),
        (["search", "dannynet", "--data", "x", "--trials", "3", "--sampler", "tpee"], "tpe"),
        (["ui", "--port", "0"], "'--port'"),
        (["data", "prepare", "mimic"], "No such command 'mimic'"),
        (["data", "phantom", "--out", "x", "--images", "3"], "'--images'"),
        (["benchmark"], "name a plan, or searches with --search NAME"),
        (["benchmark", "nih", "--search", "x"], "name a plan, or searches with --search NAME"),
        (["benchmark", "nhi"], "no benchmark 'nhi' (did you mean 'nih'?)"),
        (["spaces", "danynet"], "no search space 'danynet' (did you mean 'dannynet'?)"),
    ],
)
def test_wrong_words(mistake, words, said):
    assert said in mistake(*words)
    assert list(Path().iterdir()) == []


def test_a_wrong_option_names_the_help_of_its_command(mistake):
    assert mistake("search", "dannynet", "--triasl", "3").endswith("see `harness search --help`")


@pytest.mark.parametrize("words", [[], ["data"], ["data", "prepare"]])
def test_a_group_alone_shows_its_commands(harness, words):
    _, out, err = harness(*words)
    assert "Commands:" in out
    assert err == ""


def test_the_trace_is_shown_where_it_is_asked_for(harness, monkeypatch):
    monkeypatch.setenv("HARNESS_DEBUG", "1")
    with pytest.raises(HarnessError, match="danynet"):
        harness("spaces", "danynet")


# Spaces and settings ----------------------------------------------------------------------------


def test_all_mistakes_of_a_space_are_told_with_their_lines(harness, search):
    Path("mine.yaml").write_text(NO_SPACE)
    code, out, err = harness(*search(space="mine.yaml"))
    assert (code, out) == (2, "")
    starts = [line.partition(": ")[2].partition(": ")[0] for line in err.splitlines()]
    assert starts == ["mine.yaml:6", "mine.yaml:8", "mine.yaml:9", "mine.yaml:10"]
    for said in ("'name'", "'optim.lr'", "low 0.1 is above high 1e-06", "'float'"):
        assert said in err


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("optim.rl=1e-3", "'optim.rl' (did you mean 'optim.lr'?)"),
        ("optim.lr", "--set optim.lr: write it as --set PATH=VALUE"),
        ("optim.lr=-4", "optim.lr: should be greater than 0, not -4"),
        ("optim.lr=fast", "not 'fast'"),
        ("optim.lr=", "not None"),
        ("optim.lr=.nan", "not nan"),
        ("loss.name=focl", "not 'focl'"),
        ("data.input_px=512", "data.input_px 512 is larger than data.resize_px 32"),
        ("train.epochs=2", "give train.epochs 4 or more"),
        ("seed=3", "give it by --seed"),
        ("data.store=abc", "give it by --data"),
        ("data.split=oficial", "did you mean 'official'?"),
    ],
)
def test_wrong_settings(mistake, search, setting, said):
    assert said in mistake(*search("--set", setting))
    assert not Path("results").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", ".hidden", "a b", "-x", "é", "x" * 200])
def test_a_name_that_is_no_folder_of_ours(mistake, search, searched, name):
    assert f"--name {name!r}" in mistake(*search(f"--name={name}"))
    assert f"--name {name!r}" in mistake("benchmark", "--search", "first", f"--name={name}")
    assert list(Path().iterdir()) == []


# Stores -----------------------------------------------------------------------------------------


def test_a_store_that_is_not_there(mistake, search):
    for command in (search("--data", "nowhere"), ("data", "show", "nowhere")):
        assert f"{Path('nowhere').resolve()}: no such folder" in mistake(*command)


@pytest.mark.parametrize("part", ["table.parquet", "images.npy", "boxes.parquet", "manifest.json"])
def test_a_store_without_one_of_its_files(mistake, search, toy_store, part):
    shutil.copytree(toy_store.path, "broken")
    Path("broken", part).unlink()
    assert part in mistake(*search("--data", "broken"))
    assert not Path("results").exists()


@pytest.fixture
def release() -> Path:
    """A tiny release of 60 images as the NIH unpacks it, whole and right."""
    root = Path("release").resolve()
    (root / "images").mkdir(parents=True)
    names = [f"{row:08}_000.png" for row in range(60)]
    lines = [
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
    ]
    for row, name in enumerate(names):
        Image.new("L", (32, 32), row).save(root / "images" / name)
        lines.append(f"{name},{FINDINGS[row % 14]},0,{row // 2},50,F,PA")
    (root / "Data_Entry_2017_v2020.csv").write_text("\n".join(lines) + "\n")
    (root / "train_val_list.txt").write_text("\n".join(names[:40]) + "\n")
    (root / "test_list.txt").write_text("\n".join(names[40:]) + "\n")
    return root


def replace(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def spoil(release: Path, how: str) -> None:
    table = release / "Data_Entry_2017_v2020.csv"
    if how == "no table":
        table.unlink()
    elif how == "no column":
        replace(table, "Patient ID", "Patient_ID")
    elif how == "unknown finding":
        replace(table, FINDINGS[3], "Oedema")
    elif how == "one list":
        (release / "test_list.txt").unlink()
    elif how == "absent files":
        replace(release / "test_list.txt", "00000041_000.png", "00000041_009.png")
    elif how == "patient in both lists":
        replace(release / "test_list.txt", "00000040_000.png\n", "")
        replace(release / "train_val_list.txt", "00000039", "00000040_000.png\n00000039")
    elif how == "unreadable":
        for row in range(3):
            (release / "images" / f"{row:08}_000.png").write_bytes(b"no picture")
    elif how == "no images":
        shutil.rmtree(release / "images")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("no table", "needs one label table, Data_Entry_2017_v2020.csv"),
        ("no column", "no column 'Patient ID' (did you mean 'Patient_ID'?)"),
        ("unknown finding", "Data_Entry_2017_v2020.csv:5: unknown finding 'Oedema'"),
        ("one list", "test_list.txt is missing"),
        ("absent files", "test_list.txt: names images that the label table lacks: 1, 00000041_009"),
        ("patient in both lists", "share patients: 1, 20"),
        ("unreadable", "3 images cannot be had, more than the 2 that --max-bad allows"),
        ("no images", "no images; fetch them with `harness data download nih`"),
    ],
)
def test_a_release_that_is_not_whole(mistake, release, how, said):
    spoil(release, how)
    words = ("data", "prepare", "nih", "--root", release, "--out", "store", "--size", 16)
    assert said in mistake(*words, "--max-bad", 2)
    assert not Path("store").exists()


def test_what_was_decoded_is_kept_when_too_many_fail(mistake, harness, release):
    spoil(release, "unreadable")
    words = ("data", "prepare", "nih", "--root", release, "--out", "store", "--size", 16)
    assert "raise --max-bad" in mistake(*words, "--max-bad", 0)
    code, out, _ = harness(*words, "--max-bad", 3)
    assert code == 0
    assert "57 images of 16 px" in out
    assert out.count("left out: ") == 3
    assert "choose another --out" in mistake(*words[:-1], 24)


def test_a_patient_in_two_parts_of_a_split(mistake, search, toy_store):
    from harness.data.store import StoreOrigin, write_store

    table = toy_store.table.copy()
    table.loc[table["fold"] == "test", "patient"] = table["patient"][table["fold"] != "test"].iloc[
        0
    ]
    origin = StoreOrigin(**{
        name: getattr(toy_store.manifest, name) for name in StoreOrigin.model_fields
    })  # fmt: skip
    leaky = write_store(
        Path("leaky"), images=toy_store.images, table=table, boxes=None, origin=origin
    )
    line = mistake(*search("--data", leaky.path))
    assert f"{leaky.path}: the split 'official' shares 1 patients" in line
    assert line == mistake("data", "show", leaky.path)


# What a search needs ----------------------------------------------------------------------------


def test_the_weights_of_the_published_recipe_cannot_be_fetched(
    mistake, search, monkeypatch, tmp_path
):
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    started = time.monotonic()
    assert "model.weights: imagenet" in mistake(
        *search("--set", "train.epochs=9", space="dannynet")
    )
    assert time.monotonic() - started < 20
    assert not Path("results", "searches").exists()


def test_weights_that_do_not_fit(mistake, search):
    save_file({"layer": torch.zeros(3)}, "other.safetensors")
    Path("junk.pt").write_bytes(b"junk")
    Path("mine").mkdir()
    for name, said in {
        "other.safetensors": "fits only 0 of",
        "junk.pt": "cannot be read",
        "othr.safetensors": "did you mean 'other.safetensors'?",
        "mine": "no such file",
    }.items():
        line = mistake(*search("--set", f"model.weights={name}"))
        assert said in line
        assert str(Path(name).resolve()) in line, "told by its absolute path"
    assert "did you mean 'densenet_mini'" in mistake(*search("--set", "model.name=densenet_minni"))
    assert not Path("results", "searches").exists()


@pytest.mark.parametrize("more", [["--gpus-per-trial", "99"], ["--cpus-per-trial", "4096"]])
def test_more_than_any_node_has(mistake, search, searched, more):
    assert "lower --cpus-per-trial or --gpus-per-trial" in mistake(*search(*more))
    assert not Path("results", "searches").exists()


NO_CLUSTERS = """
import sys
from harness.core.errors import HarnessError
from harness.execution.ray_session import start_ray
for address in sys.argv[1:]:
    try:
        start_ray(address)
    except HarnessError as error:
        print(error)
"""


def test_no_cluster_answers():
    """In a process of its own, since this one may have a Ray; Ray itself would ask for minutes."""
    addresses = [f"127.0.0.1:{closed_port()}", "nowhere.invalid:6379", "somewhere"]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", NO_CLUSTERS, *addresses], capture_output=True, text=True, check=True
    )
    assert time.monotonic() - started < 45
    lines = done.stdout.splitlines()
    assert len(lines) == len(addresses)
    for address, line in zip(addresses, lines, strict=True):
        assert line.startswith(f"no Ray cluster answers at --address {address} (")
        assert line.endswith("or leave --address out to use this machine alone")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://127.0.0.1:{}", "does not answer (Connection refused)"),
        ("http://ann:s3cret@127.0.0.1:{}", "http://***@127.0.0.1"),
        ("file:mlruns", "MLflow keeps no runs in a folder"),
    ],
)
def test_an_mlflow_that_cannot_be_used(mistake, search, searched, monkeypatch, uri, said):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(closed_port()))
    before = files_of(searched)
    for words in (
        search("--results", searched, "--name", "second"),
        ("benchmark", "--search", "first", "--results", searched),
        ("winners", "--results", searched),
    ):
        line = mistake(*words)
        assert said in line
        assert "unset MLFLOW_TRACKING_URI" in line
        assert "s3cret" not in line
    assert files_of(searched) == before
    assert not (searched / "searches" / "second").exists()


def test_a_results_folder_that_cannot_be_one(mistake, search):
    Path("taken").write_text("a file")
    for results in ("taken", "taken/below"):
        for words in (search(), ("benchmark", "nih"), ("quickstart",)):
            line = mistake(*words, "--results", results)
            assert f"{Path('taken').resolve()} is not a folder" in line
    assert Path("taken").read_text() == "a file"


def test_a_run_directory_that_cannot_be_made(mistake, toy_store):
    Path("taken").write_text("a file")
    words = ("train", "dannynet-mini", "--data", toy_store.path, *SMALL)
    assert "taken" in mistake(*words, "--out", "taken/run")


# What is there already --------------------------------------------------------------------------


def test_a_search_goes_on_only_with_its_own_settings(mistake, harness, search, searched):
    before = files_of(searched)
    words = ("--results", searched, "--name", "first")
    line = mistake(*search(*words, "--set", "loss.gamma=1", "--seed", 3))
    assert "loss.gamma was 2.0, is 1.0" in line
    assert "loss.gamma was searched, is fixed" in line
    assert "seed was 0, is 3" in line
    assert len(mistake(*search(*words, space="chexnet-mini"))) < 900
    assert files_of(searched) == before
    code, out, err = harness(*search(*words))
    assert (code, files_of(searched)) == (0, before)
    assert "1 completed, 0 to run" in err
    assert f"wrote {searched / 'searches' / 'first'}" in out


def test_a_benchmark_of_nothing(mistake, searched):
    line = mistake("benchmark", "--search", "frist", "--results", searched)
    assert "no search 'frist'" in line
    assert "did you mean 'first'?" in line
    assert "run `harness search` first" in mistake("benchmark", "--search", "first")
    shutil.copytree(searched / "searches", "results/searches")
    shutil.rmtree(next(Path("results/searches/first").glob("t0000-*")))
    assert "has no completed trial" in mistake("benchmark", "--search", "first")


def test_winners_of_nothing(mistake, searched):
    assert "run `harness search` first" in mistake("winners")
    assert "no search 'frist'" in mistake("winners", "--search", "frist", "--results", searched)


def test_a_folder_of_another_recipe_is_not_trained_into(mistake, harness, toy_store):
    words = ("train", "dannynet-mini", "--data", toy_store.path, "--out", "my run")
    words += ("--set", "data.resize_px=32", "--set", "data.input_px=32", "--set", "train.epochs=1")
    code, out, err = harness(*words)
    assert (code, err) == (0, "")
    assert f"wrote {Path('my run').resolve()}" in out
    before = files_of(Path("my run"))
    line = mistake(*words, "--set", "optim.lr=0.5", "--seed", 7)
    assert "optim.lr was 0.002, is 0.5" in line
    assert "seed was 0, is 7" in line
    assert files_of(Path("my run")) == before
    assert harness(*words)[0] == 0


def test_all_trials_failed_is_no_success(harness, search):
    code, out, err = harness(*search("--set", "optim.lr=1e30"))
    assert code == 1
    assert "training loss is not finite" in out
    assert "no trial has completed" in out
    assert "Trial t0000" not in out + err, "a line of Ray's own"


def test_what_is_named_by_a_relative_path_is_written_down_by_an_absolute_one(searched, toy_store):
    """`searched` was told of its store and its results by relative ones."""
    plan = json.loads((searched / "searches" / "first" / "search.json").read_text())
    assert plan["store"] == str(toy_store.path)
    (trial,) = searched.glob("searches/first/t0000-*")
    assert RunDirectory(trial).record is not None


# As a process of its own ------------------------------------------------------------------------


def command(*words) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *map(str, words)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_exit_code_of_a_process(tmp_path):
    done = command("search", "danynet", "--data", tmp_path, "--trials", 3)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("harness: no search space 'danynet'")
    assert done.stderr.count("\n") == 1
    assert command("spaces").returncode == 0
