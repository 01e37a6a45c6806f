"""The wheel `pytest-sampan` declares what its packages import, and nothing of master or agent."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("client", "lab", "netstack")
MODULES = {"PyYAML": "yaml"}


def declared(path: Path) -> list[str]:
    return list(tomllib.loads(path.read_text())["project"]["dependencies"])


def imported() -> set[str]:
    """The top names that the packages import, but for the standard library's."""
    found = set()
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names


def test_the_plugins_wheel_needs_what_it_imports() -> None:
    wheel = declared(ROOT / "packaging" / "pytest-sampan" / "pyproject.toml")
    names = [re.split(r"[<>=]", line)[0] for line in wheel]
    assert {MODULES.get(name, name) for name in names} | set(PACKAGES) == imported()


def test_both_wheels_agree_on_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = {*project["dependencies"], *project["optional-dependencies"]["dev"]}
    assert set(declared(ROOT / "packaging" / "pytest-sampan" / "pyproject.toml")) <= known
