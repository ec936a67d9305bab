"""The site is built without a warning, and the reference holds what is public."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT

MODULES = {
    module
    for page in DOCS.glob("reference/*.md")
    for module in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), flags=re.M)
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; every warning ends the build."""
    folder = tmp_path_factory.mktemp("site")
    words = ("-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder))
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return folder


def public_names(module: str) -> set[str]:
    """The functions and classes of a module that have a docstring and no underscore before them."""
    path = ROOT / Path(*module.split(".")).with_suffix(".py")
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    return {
        f"{module}.{node.name}"
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node)
    }


def test_the_reference_holds_what_is_public(site):
    pages = "".join(page.read_text(encoding="utf-8") for page in site.glob("reference/*.html"))
    there = set(re.findall(r'id="(harness[\w.]+)"', pages))
    packages = {name for name in MODULES if (ROOT / Path(*name.split("."))).is_dir()}
    for module in MODULES - packages:
        names = public_names(module)
        assert names, module
        assert names <= there, f"not in the reference: {sorted(names - there)}"


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="(https?:[^"]*)"', text)
        assert not loaded, f"{page.name}: {loaded}"


def test_a_docstring_that_does_not_fit_ends_the_build(tmp_path):
    """What `--strict` is for: an argument that the function has not."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("::: odd\n")
    (tmp_path / "odd.py").write_text(
        'def f(x: int) -> int:\n    """A number.\n\n    Args:\n        y: None.\n    """\n'
    )
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    (tmp_path / "mkdocs.yml").write_text(re.sub(r"(?ms)^nav:.*?\n\n", "", text))
    words = ("-m", "mkdocs", "build", "--strict", "--site-dir", "site")
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "'y'" in done.stdout + done.stderr
