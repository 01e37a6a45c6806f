"""Real clusters for the tests of this tier: hosts, engines, registry, master, agents, and real kubectl.

`cluster` is shared by a session: a test leaves it as it found it. `fresh_cluster` is a test's own, to be broken.
Both are removed with a check that nothing is left.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

import lab.kubectl
from client.errors import NotFound
from client.rest import RestClient
from lab.cluster import Cluster
from lab.config import Periods
from lab.kubectl import debian_kubectl, newer_kubectls
from lab.lab import Lab, delete, in_parallel, leftovers
from tests.cluster.kubectl import Kubectl
from tests.cluster.waiting import eventually

_numbers = count(1)


def pytest_sessionstart() -> None:
    """A run that is ended by SIGTERM, as CI does, removes its labs as one that is ended by Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root: makes namespaces and runs engines"))


@contextmanager
def running_cluster(*, nodes: int = 3, periods: Periods | None = None) -> Iterator[Cluster]:
    """A cluster in a lab of its own, its nodes Ready; removed at the end, whatever happened."""
    name = f"test-{os.getpid()}-{next(_numbers)}"
    made_in = Lab(name)
    cluster = Cluster(made_in, periods=periods)
    try:
        made_in.create(nodes=nodes)
        in_parallel([made_in.start_engines, _registry_with_images(made_in)], lambda work: work())
        cluster.start()
        cluster.wait_api()
        cluster.wait_nodes()
        yield cluster
    finally:
        delete(name)
        assert list(leftovers(name)) == []


def _registry_with_images(of: Lab) -> Callable[[], None]:
    def work() -> None:
        of.start_registry()
        of.push_images()

    return work


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The session's cluster: three nodes, short periods."""
    with running_cluster() as made:
        yield made


@pytest.fixture
def fresh_cluster() -> Iterator[Cluster]:
    """A cluster of one test's own."""
    with running_cluster() as made:
        yield made


@pytest.fixture
def api(cluster: Cluster) -> Iterator[RestClient]:
    """The administrator's client of the session's cluster."""
    with cluster.client() as client:
        yield client


@pytest.fixture
def namespace(api: RestClient) -> Iterator[str]:
    """A namespace of the test's own; it and all that is in it goes, before the next test begins."""
    name = f"test-{next(_numbers)}"
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    api.delete(f"/api/v1/namespaces/{name}")
    eventually(lambda: _gone(api, f"/api/v1/namespaces/{name}"), timeout_s=90)


@pytest.fixture
def kubectl(cluster: Cluster, namespace: str, tmp_path: Path) -> Kubectl:
    """Debian's kubectl 1.20 in the test's namespace."""
    return Kubectl(lab.kubectl.Kubectl(debian_kubectl(), cluster.kubeconfig, tmp_path), namespace)


@pytest.fixture(params=["debian", *(path.name for path in newer_kubectls())])
def any_kubectl(request: pytest.FixtureRequest, cluster: Cluster, namespace: str, tmp_path: Path) -> Kubectl:
    """Each kubectl of the matrix in the test's namespace: Debian's, and any newer one on the PATH."""
    binary = debian_kubectl()
    if request.param != "debian":
        binary = next(path for path in newer_kubectls() if path.name == request.param)
    return Kubectl(lab.kubectl.Kubectl(binary, cluster.kubeconfig, tmp_path), namespace)


@pytest.fixture
def kubectl_for(tmp_path: Path) -> Callable[[Cluster], Kubectl]:
    """Debian's kubectl for a cluster of the test's own, in its namespace `default`."""
    return lambda made: Kubectl(lab.kubectl.Kubectl(debian_kubectl(), made.kubeconfig, tmp_path))


def _gone(api: RestClient, path: str) -> bool:
    try:
        api.get(path)
    except NotFound:
        return True
    return False
