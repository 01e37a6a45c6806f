"""Chooses the kubectl for the tests; the fixtures of clusters are in lab/plugin."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.cluster import Cluster
from lab.kubectl import Kubectl, debian_kubectl, newer_kubectls


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    directory = Path(__file__).parent
    for item in items:
        if directory in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root: makes namespaces and runs engines"))


@pytest.fixture(scope="session")
def kubectl_binary() -> Path:
    """Debian's kubectl 1.20, the oldest of the matrix."""
    return debian_kubectl()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The oldest kubectl and the newest one; with `--long` every version on the PATH."""
    if "any_kubectl" in metafunc.fixturenames:
        newer = sorted((path.name for path in newer_kubectls()), key=_version)
        chosen = newer if metafunc.config.getoption("--long") else newer[-1:]
        metafunc.parametrize("any_kubectl", ["debian", *chosen], indirect=True)


def _version(name: str) -> list[int]:
    """Of `kubectl.1.NN`; a `kubectl` without a number in its name comes first."""
    return [int(part) for part in name.split(".")[1:] if part.isdecimal()]


@pytest.fixture
def any_kubectl(
    request: pytest.FixtureRequest, cluster: Cluster, namespace: str, kubectl_binary: Path, tmp_path: Path
) -> Kubectl:
    """A kubectl of the matrix in the test's namespace: Debian's, or a newer one on the PATH."""
    binary = kubectl_binary
    if request.param != "debian":
        binary = next(path for path in newer_kubectls() if path.name == request.param)
    return Kubectl(binary, cluster.kubeconfig, tmp_path, namespace)
