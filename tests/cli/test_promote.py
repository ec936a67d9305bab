"""`promote`, `export` and `predict` as typed."""

import subprocess
import sys

import pytest

from harness.core.records import Outcome, Status
from harness.core.run_dir import RunDirectory
from tests.data.dicom_files import SECRET, dicom


@pytest.fixture
def command(harness, alone, lab):
    return lambda *words: harness(*words, "--results", lab)


def test_from_winner_to_use(command, lab, nih_sample, tmp_path):
    code, said, _ = command("promote", "dannynet/t0000")
    assert code == 0
    name = next((lab / "searches" / "dannynet").glob("t0000-*")).name
    assert said.splitlines() == [
        f"dannynet/{name} is dannynet, version 1: bit-equal to the run's scores of 34 validation "
        "images",
        "models:/dannynet@champion names it",
        "next: harness app --model models:/dannynet@champion, or harness predict IMAGE --model "
        "models:/dannynet@champion",
    ]
    code, said, _ = command("promote", "t0000", "--alias", "best")
    assert code == 0
    assert "already; no new version" in said

    files = sorted((nih_sample / "images").iterdir())[:3]
    code, said, _ = command("predict", files[0])
    assert code == 0
    head, path, header, *rows = said.splitlines()
    assert head.startswith(f"models:/dannynet@champion (dannynet/{name}). For research alone.")
    assert path == str(files[0])
    assert header.split() == ["finding", "probability", "threshold"]
    assert len(rows) == 14
    flagged = [row.startswith("FLAGGED") for row in rows]
    assert flagged == sorted(flagged, reverse=True)

    bad, film = tmp_path / "bad.png", tmp_path / "film"
    bad.write_bytes(b"nothing")
    film.write_bytes(dicom())
    csv = tmp_path / "answers.csv"
    code, said, error = command("predict", *files, bad, film, "--csv", csv)
    assert code == 3
    assert f"not read: {bad}: not an image that can be read" in said
    assert f"wrote {csv}" in said
    assert len(csv.read_text().splitlines()) == 1 + 4 * 14
    assert SECRET not in said + error + csv.read_text()
    assert command("predict", bad)[0] == 1


LIGHT = """
import sys
sys.modules |= dict.fromkeys(("torch", "mlflow", "ray"))  # importing one of them fails
from harness.cli import main
main()
"""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("promote", "none/t1"), "none/t1: neither a run directory nor a run in"),
        (("export", "none/t1", "--to", "out"), "none/t1: neither a run directory nor a run in"),
        (("explain", "none/t1"), "none/t1: neither a run directory nor a run in"),
        (("predict", "none.png"), "none.png: no such file or folder"),
        (("predict", ".", "--model", "none"), "none: no bundle.json in it"),
    ],
)
def test_a_wrong_word_is_told_before_anything_heavy(tmp_path, words, told):
    (tmp_path / "film.png").write_bytes(b"never opened")
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, *words], cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert told in done.stderr


def test_export_writes_a_folder_that_predicts(command, tmp_path, nih_sample):
    code, said, _ = command("export", "dannynet/t0000", "--to", tmp_path / "out")
    assert code == 0
    assert f"wrote {tmp_path / 'out'}" in said
    image = next((nih_sample / "images").iterdir())
    assert command("predict", image, "--model", tmp_path / "out")[0] == 0
    code, _, error = command("export", "dannynet/t0000", "--to", tmp_path / "out")
    assert code == 2
    assert "already exists" in error


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["promote", "t0009"], "neither a run directory nor a run"),
        (["promote", "t0000", "--alias", "latest"], "not 'latest'"),
        (["promote", "t0000", "--alias", "a b"], "--alias 'a b'"),
        (["promote", "t0000", "--name", "a/b"], "--name 'a/b'"),
        (["promote", "t0000", "--data", "gone"], "no such folder"),
        (["predict", "gone.png"], "gone.png: no such file"),
        (["predict", ".", "--model", "."], "no image files in this folder"),
        (["export", "t0000"], "--to"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(command, words, told):
    code, _, error = command(*words)
    assert code == 2
    assert told in error
    assert len(error.splitlines()) == 1


def test_a_run_that_cannot_be_promoted_is_one_line(command, lab):
    run = RunDirectory(next((lab / "searches" / "dannynet").glob("t0000-*")))
    run.best_weights.unlink()
    code, _, error = command("promote", "t0000")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "its weights are gone" in error
    run.set_status(Status(outcome=Outcome.PRUNED))
    assert "the run is pruned" in command("promote", "t0000")[2]
