"""What code and which packages make a result."""

import hashlib
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NUMERIC_PACKAGES = ("torch", "torchvision", "timm", "numpy")
NUMERIC_SOURCES = ("core", "data", "models", "training", "evaluation", "trial.py", "scoring.py")
"""What of this package decides the figures of a run."""

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


@cache
def code_version() -> dict[str, str]:
    """What computes the figures of a run: versions, and a hash of this package's own sources."""
    installed = package_versions()
    versions = {
        name: installed[name] for name in ("harness", *NUMERIC_PACKAGES) if name in installed
    }
    return versions | {"sources": sources_sha256(*NUMERIC_SOURCES)[:12]}


def sources_sha256(*names: str) -> str:
    """SHA-256 of the Python files of this package, or of its parts of these names alone."""
    package = Path(__file__).resolve().parents[1]
    found = [path for name in names or ("",) for path in _python_files(package / name)]
    digest = hashlib.sha256()
    for path in sorted(found):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _python_files(path: Path) -> list[Path]:
    return [path] if path.is_file() else list(path.rglob("*.py"))
