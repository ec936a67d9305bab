"""The layers of the design hold, and training runs where Ray, Optuna and MLflow are not."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_TOOLS = """
import sys
for name in ("ray", "optuna", "mlflow", "streamlit", "matplotlib", "rich", "typer", "numba"):
    sys.modules[name] = None
from pathlib import Path
from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.scoring import score_test
from harness.trial import run_trial
recipe = Recipe.model_validate_json(sys.stdin.read())
machine = Machine(store=Path(sys.argv[1]), device="cpu")
run_trial(recipe, machine, Path(sys.argv[2]))
print(score_test(machine, Path(sys.argv[2])).part)
"""


def test_import_contracts_are_kept():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_run_is_trained_and_scored_without_ray_optuna_and_mlflow(toy_store, tmp_path):
    from harness.core.recipe import Recipe

    recipe = Recipe().with_values(
        {
            "data.store": toy_store.fingerprint,
            "data.resize_px": 32,
            "data.input_px": 32,
            "model.name": "densenet_mini",
            "model.weights": "none",
            "train.epochs": 1,
        }
    )
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TOOLS, str(toy_store.path), str(tmp_path / "run")],
        input=recipe.model_dump_json(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "test"


@pytest.mark.parametrize("package", ["torch", "pandas", "ray", "mlflow", "optuna"])
def test_the_command_line_starts_without_heavy_imports(package):
    code = f"import sys, harness.cli; sys.exit({package!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
