"""One master for all tests of the tier; each test has a namespace of its own."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.clients.api import Api
from tests.clients.kubectl import Kubectl
from tests.clients.programs import kubectls
from tests.clients.standin import nodes_standin
from tests.service.master.process import Master, running

_NUMBERS = itertools.count(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "binary" in metafunc.fixturenames:
        found = kubectls()
        metafunc.parametrize("binary", found, ids=[_version(path) for path in found], scope="session")


@cache
def _version(path: Path) -> str:
    done = subprocess.run([str(path), "version", "--client", "-o", "yaml"], capture_output=True, text=True, check=True)
    numbers = dict(line.strip().split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    return numbers["gitVersion"].split("-")[0]


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clients")


@pytest.fixture(scope="session")
def master(directory: Path) -> Iterator[Master]:
    with running(directory) as master:
        yield master
        assert master.complaints() == []


@pytest.fixture(scope="session")
def kubeconfig(master: Master, directory: Path) -> Path:
    return directory / "data" / "admin.kubeconfig"


@pytest.fixture(scope="session")
def api(master: Master) -> Api:
    return Api(f"https://127.0.0.1:{master.port}", master.admin)


@pytest.fixture
def nodes(api: Api) -> Iterator[None]:
    """New pods become ready as if there were nodes."""
    with nodes_standin(api):
        yield


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def kubectl(binary: Path, kubeconfig: Path, home: Path) -> Iterator[Kubectl]:
    """In a namespace that is new and is deleted afterwards. `KUBECTL.minor` is 20, 27 and so on."""
    kubectl = Kubectl(binary, kubeconfig, home / f"{binary.parent.name}-{binary.name}", f"c{next(_NUMBERS)}")
    kubectl("create", "namespace", kubectl.namespace)
    yield kubectl
    kubectl("delete", "namespace", kubectl.namespace, "--wait=false")
