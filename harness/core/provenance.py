"""What code and which packages make a result."""

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("harness", "torch", "torchvision", "timm", "numpy", "pandas", "scikit-learn",
            "ray", "optuna", "mlflow")  # fmt: skip


@cache
def git_state() -> tuple[str, bool | None]:
    """(commit, dirty) of the checkout that this package runs from; ("", None) outside of one."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return "", None
    return commit, bool(_git("status", "--porcelain", "--untracked-files=no"))


def _git(*arguments: str) -> str:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True, text=True, timeout=20, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""


@cache
def package_versions() -> dict[str, str]:
    """Versions of the packages that can move a number, of those that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
