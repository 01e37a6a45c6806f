"""The fixtures for clusters: one for the session, in which each test has a namespace of its own, or one for a test.

At a test's end, in this order: faults are undone, the namespace is removed with its content, and the hosts are compared
with their state before the test.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from client.errors import NotFound
from client.rest import RestClient
from hull.processes import until
from lab.cluster import Cluster
from lab.errors import NotReady
from lab.kubectl import Kubectl, debian_kubectl
from lab.plugin import leaks, requirements
from lab.plugin.clusters import running_cluster
from lab.plugin.faults import Faults
from lab.plugin.pool import ClusterPool
from lab.plugin.workload import Workload
from netrig.plugin.leaks import Scope

_GONE_TIMEOUT_S: Final = 90.0
_PODS_GRACE_S: Final = 1
"""The grace period of pods when their namespace is removed: enough for those that handle SIGTERM."""

_numbers = count(1)


@pytest.fixture(scope="session")
def sampan_command(pytestconfig: pytest.Config) -> tuple[str, ...]:
    """The `sampan` that clusters run: `--sampan`, by default the one on the PATH. Empty: the one of this Python."""
    name = pytestconfig.getoption("--sampan")
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"needs sampan, but there is no `{name}` (--sampan=FILE)")
    return (path,)


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config, sampan_command: tuple[str, ...]) -> Iterator[Cluster]:
    """The session's cluster, which a test must not damage; tests that do use `fresh_cluster`."""
    with _usable_cluster(pytestconfig, sampan_command) as running:
        yield running


@pytest.fixture(scope="session")
def cluster_pool(sampan_command: tuple[str, ...]) -> Iterator[ClusterPool]:
    """`with cluster_pool.lend(nodes=2) as cluster`: a cluster that may be damaged, for a fixture of any scope."""
    if reason := requirements.of_cluster():
        pytest.skip(reason)
    with ClusterPool(sampan_command) as pool:
        yield pool


@pytest.fixture
def fresh_cluster(pytestconfig: pytest.Config, cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """A cluster for one test, which may damage it."""
    with cluster_pool.lend(nodes=pytestconfig.getoption("--cluster-nodes")) as running:
        yield running


@pytest.fixture
def api(cluster: Cluster) -> Iterator[RestClient]:
    """A client for the session's cluster with the administrator's certificate."""
    with cluster.client() as client:
        yield client


@pytest.fixture
def cluster_leak_check(pytestconfig: pytest.Config, cluster: Cluster) -> Iterator[None]:
    """Fails a test that leaves something on the session's cluster."""
    if Scope(pytestconfig.getoption("--leak-check")) is Scope.OFF:
        yield
        return
    before = leaks.take(cluster)
    yield
    if left := leaks.left_since(before, cluster):
        pytest.fail("the test left on the cluster: " + ", ".join(map(str, left)), pytrace=False)


@pytest.fixture
def namespace(api: RestClient, cluster_leak_check: None) -> Iterator[str]:
    """The name of a namespace for the test; it is removed with its content before the next test begins."""
    name = f"test-{next(_numbers)}"
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    remove_namespace(api, name)


@pytest.fixture
def faults(cluster: Cluster, namespace: str) -> Iterator[Faults]:
    """Faults on the session's cluster, undone at the test's end in any case."""
    cluster_faults = Faults(cluster)
    yield cluster_faults
    cluster_faults.undo()


@pytest.fixture
def faults_on() -> Iterator[Callable[[Cluster], Faults]]:
    """`faults_on(cluster)`: the same on another cluster."""
    with ExitStack() as stack:

        def make(cluster: Cluster) -> Faults:
            cluster_faults = Faults(cluster)
            stack.callback(cluster_faults.undo)
            return cluster_faults

        yield make


@pytest.fixture(scope="session")
def kubectl_binary(pytestconfig: pytest.Config) -> Path:
    """`--kubectl`, or else the kubectl on the PATH, or else Debian's, unpacked into the cache."""
    path = pytestconfig.getoption("--kubectl") or shutil.which("kubectl")
    return Path(path) if path else debian_kubectl()


@pytest.fixture
def kubectl(cluster: Cluster, namespace: str, kubectl_binary: Path, tmp_path: Path) -> Kubectl:
    """kubectl in the test's namespace."""
    return Kubectl(kubectl_binary, cluster.kubeconfig, tmp_path, namespace)


@pytest.fixture
def kubectl_for(kubectl_binary: Path, tmp_path: Path) -> Callable[[Cluster], Kubectl]:
    """`kubectl_for(cluster)`: kubectl for another cluster, in the namespace `default`."""
    return lambda cluster: Kubectl(kubectl_binary, cluster.kubeconfig, tmp_path)


@pytest.fixture
def workload(api: RestClient, namespace: str) -> Workload:
    """The objects of the test in its namespace: apply, get, wait_ready."""
    return Workload(api, namespace)


@pytest.fixture
def workload_on() -> Iterator[Callable[[Cluster], Workload]]:
    """`workload_on(cluster)`: the same in the namespace `default` of another cluster."""
    with ExitStack() as stack:
        yield lambda cluster: Workload(stack.enter_context(cluster.client()))


@pytest.fixture
def apply(workload: Workload) -> Callable[..., object]:
    """`apply(manifest)`: create or change the objects of a manifest (file, text, objects) in the test's namespace."""
    return workload.apply


@pytest.fixture
def wait_ready(workload: Workload) -> Callable[..., None]:
    """`wait_ready("pod/web")`: wait until it is ready; without arguments, wait for everything that was applied."""
    return workload.wait_ready


def remove_namespace(api: RestClient, name: str) -> None:
    """Delete a namespace and wait until it is gone with its content. Raises NotReady."""
    path = f"/api/v1/namespaces/{name}"
    api.delete(path)
    # No pods are created in a namespace that is being removed. A shorter grace period than their own saves time.
    api.delete(f"{path}/pods", grace_period_s=_PODS_GRACE_S)
    for _ in until(_GONE_TIMEOUT_S):
        try:
            api.get(path)
        except NotFound:
            return
    raise NotReady(f"namespace {name} is still there after {_GONE_TIMEOUT_S:g} s")


def _usable_cluster(config: pytest.Config, command: tuple[str, ...]) -> AbstractContextManager[Cluster]:
    """Skips the test with the reason if this machine cannot run a cluster."""
    if reason := requirements.of_cluster():
        pytest.skip(reason)
    return running_cluster(nodes=config.getoption("--cluster-nodes"), command=command)
