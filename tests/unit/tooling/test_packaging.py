"""Each wheel declares exactly what its packages import, and every package of ours is in one wheel."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lab.plugin
from host.build import NETSTACK, OLDEST_SETUPTOOLS, PLUGIN, PROJECTS, SAMPAN

ROOT = Path(__file__).resolve().parents[3]
MODULES = {
    "PyJWT": "jwt",
    "PyYAML": "yaml",
    "grpcio": "grpc",
    "prometheus-client": "prometheus_client",
    "protobuf": "google",
}
"""Projects whose module has another name."""
PYTESTS_OWN = re.compile(r"(netrig|lab)/plugin/")
"""Modules that only pytest loads: `pytest-sampan` depends on pytest, the wheels that have them do not."""
NOT_INSTALLED = {
    "_typeshed": "known to type checkers only",
    "grpc_tools": "proto/generate.py, run in a checkout",
    "tests": "for commands of a checkout",
}
SETTINGS_OF_THE_PLUGIN = {"cluster_leak_check", "kubectl_binary", "sampan_command"}
"""Fixtures of lab.plugin that tests do not request themselves."""


def pyproject(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / PROJECTS[name] / "pyproject.toml").read_text())


def packages(name: str) -> list[Path]:
    settings = pyproject(name)["tool"]["setuptools"]["packages"]
    if isinstance(settings, list):
        return [ROOT / PROJECTS[name] / package for package in settings]
    return [ROOT / package for package in settings["find"]["include"] if "." not in package]


def declared(name: str) -> set[str]:
    """The names of the required projects."""
    return {re.split(r"[<>=]", line)[0] for line in pyproject(name)["project"]["dependencies"]}


def imports(path: Path) -> Iterator[str]:
    """The full names of the imported modules."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def imported(name: str) -> set[str]:
    """The top-level modules that a wheel needs from elsewhere."""
    files = [path for package in packages(name) for path in package.rglob("*.py")]
    modules = {
        module.partition(".")[0]
        for path in files
        for module in imports(path)
        if not (module == "pytest" and PYTESTS_OWN.match(str(path.relative_to(ROOT))))
    }
    return modules - sys.stdlib_module_names - set(NOT_INSTALLED) - {path.name for path in packages(name)}


def modules_of(name: str) -> set[str]:
    """The modules that a wheel's declared dependencies bring."""
    ours = {path.name for path in packages(NETSTACK)} if NETSTACK in declared(name) else set()
    return ours | {MODULES.get(project, project) for project in declared(name) - {NETSTACK}}


@pytest.mark.parametrize("name", [NETSTACK, SAMPAN])
def test_a_wheel_needs_what_it_imports(name: str) -> None:
    assert modules_of(name) == imported(name)


def test_the_plugins_wheel_needs_pytest_and_the_network_stack() -> None:
    """It has no imports of the other wheels: it gives pytest the names of the plugins."""
    assert declared(PLUGIN) == {"pytest", NETSTACK}
    assert imported(PLUGIN) == {"pytest"}


def test_every_package_is_in_one_wheel() -> None:
    found = [package for name in PROJECTS for package in packages(name)]
    here = {path.parent for path in ROOT.glob("*/__init__.py")} - {ROOT / "tests"}
    assert len(found) == len(set(found))
    assert {path for path in found if path.parent == ROOT} == here


@pytest.mark.parametrize("name", PROJECTS)
def test_a_wheel_says_its_name_its_licence_and_what_builds_it(name: str) -> None:
    project = pyproject(name)["project"]
    assert project["name"] == name
    assert pyproject(name)["build-system"]["requires"] == [f"setuptools>={OLDEST_SETUPTOOLS}"]
    assert project["license"] == "Apache-2.0" and project["license-files"] == ["LICENSE"]
    assert (ROOT / PROJECTS[name] / "LICENSE").read_text().split()[:2] == ["Apache", "License"]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_locks_have_what_the_wheels_need(lock: str) -> None:
    locked = set(re.findall(r"^([\w-]+)==", (ROOT / lock).read_text(), re.MULTILINE))
    assert {name.lower() for wheel in (NETSTACK, SAMPAN) for name in declared(wheel) - {NETSTACK}} <= locked


def test_without_sampan_every_fixture_for_clusters_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / PROJECTS[PLUGIN])
    from pytest_sampan import without_clusters

    fixtures = {name for name in lab.plugin.__all__ if not name.startswith("pytest_")}
    assert set(without_clusters.FIXTURES) == fixtures - SETTINGS_OF_THE_PLUGIN
