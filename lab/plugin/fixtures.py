"""The plugin's fixtures about clusters: one a session, which each test gets as a namespace of its own; or a test's own.

At a test's end, in this order: faults are undone, the namespace goes with all that is in it, and the hosts are compared
with what they were.
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
from lab.plugin.workload import Workload
from netrig.plugin.leaks import Scope

_GONE_TIMEOUT_S: Final = 90.0
_PODS_GRACE_S: Final = 1
"""What a namespace's pods get at its end: enough for who listens to SIGTERM, and nobody waits for who does not."""

_numbers = count(1)


@pytest.fixture(scope="session")
def sampan_command(pytestconfig: pytest.Config) -> tuple[str, ...]:
    """The `sampan` that clusters run: `--sampan`, else the one on the PATH. Empty: the one of this very Python."""
    wanted = pytestconfig.getoption("--sampan")
    found = shutil.which(wanted)
    if found is None:
        pytest.skip(f"needs sampan, and finds no `{wanted}` (--sampan=FILE)")
    return (found,)


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config, sampan_command: tuple[str, ...]) -> Iterator[Cluster]:
    """The session's cluster. A test leaves it as it found it; what breaks it takes `fresh_cluster`."""
    with _usable_cluster(pytestconfig, sampan_command) as made:
        yield made


@pytest.fixture
def fresh_cluster(pytestconfig: pytest.Config, sampan_command: tuple[str, ...]) -> Iterator[Cluster]:
    """A cluster of one test's own."""
    with _usable_cluster(pytestconfig, sampan_command) as made:
        yield made


@pytest.fixture
def api(cluster: Cluster) -> Iterator[RestClient]:
    """The administrator's client of the session's cluster."""
    with cluster.client() as client:
        yield client


@pytest.fixture
def cluster_leak_check(pytestconfig: pytest.Config, cluster: Cluster) -> Iterator[None]:
    """Fails the test that leaves something on the session's cluster."""
    if Scope(pytestconfig.getoption("--leak-check")) is Scope.OFF:
        yield
        return
    before = leaks.take(cluster)
    yield
    if left := leaks.left_since(before, cluster):
        pytest.fail("the test left on the cluster: " + ", ".join(map(str, left)), pytrace=False)


@pytest.fixture
def namespace(api: RestClient, cluster_leak_check: None) -> Iterator[str]:
    """A namespace of the test's own; it and all that is in it goes before the next test begins."""
    name = f"test-{next(_numbers)}"
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    remove_namespace(api, name)


@pytest.fixture
def faults(cluster: Cluster, namespace: str) -> Iterator[Faults]:
    """Faults on the session's cluster, undone at the test's end whatever happens."""
    bench = Faults(cluster)
    yield bench
    bench.undo()


@pytest.fixture
def faults_on() -> Iterator[Callable[[Cluster], Faults]]:
    """`faults_on(cluster)`: the same on another cluster."""
    with ExitStack() as undone:

        def make(cluster: Cluster) -> Faults:
            made = Faults(cluster)
            undone.callback(made.undo)
            return made

        yield make


@pytest.fixture(scope="session")
def kubectl_binary(pytestconfig: pytest.Config) -> Path:
    """`--kubectl`, else the kubectl on the PATH, else Debian's, unpacked into the cache."""
    given = pytestconfig.getoption("--kubectl") or shutil.which("kubectl")
    return Path(given) if given else debian_kubectl()


@pytest.fixture
def kubectl(cluster: Cluster, namespace: str, kubectl_binary: Path, tmp_path: Path) -> Kubectl:
    """kubectl in the test's namespace."""
    return Kubectl(kubectl_binary, cluster.kubeconfig, tmp_path, namespace)


@pytest.fixture
def kubectl_for(kubectl_binary: Path, tmp_path: Path) -> Callable[[Cluster], Kubectl]:
    """`kubectl_for(cluster)`: kubectl for another cluster, in its namespace `default`."""
    return lambda cluster: Kubectl(kubectl_binary, cluster.kubeconfig, tmp_path)


@pytest.fixture
def workload(api: RestClient, namespace: str) -> Workload:
    """What the test runs in its namespace: apply, get, wait_ready."""
    return Workload(api, namespace)


@pytest.fixture
def workload_on() -> Iterator[Callable[[Cluster], Workload]]:
    """`workload_on(cluster)`: the same in the namespace `default` of another cluster."""
    with ExitStack() as closed:
        yield lambda cluster: Workload(closed.enter_context(cluster.client()))


@pytest.fixture
def apply(workload: Workload) -> Callable[..., object]:
    """`apply(manifest)`: create or change what a manifest (file, text, objects) declares, in the test's namespace."""
    return workload.apply


@pytest.fixture
def wait_ready(workload: Workload) -> Callable[..., None]:
    """`wait_ready("pod/web")`: wait for it; without words, for all that was applied."""
    return workload.wait_ready


def remove_namespace(api: RestClient, name: str) -> None:
    """Delete a namespace and wait until it, with all that is in it, is gone. Raises NotReady when it stays."""
    path = f"/api/v1/namespaces/{name}"
    api.delete(path)
    # Nothing makes pods in a namespace that ends; their own grace may be long, and nobody is interested in it now.
    api.delete(f"{path}/pods", grace_period_s=_PODS_GRACE_S)
    for _ in until(_GONE_TIMEOUT_S):
        try:
            api.get(path)
        except NotFound:
            return
    raise NotReady(f"namespace {name} is still there after {_GONE_TIMEOUT_S:g} s")


def _usable_cluster(config: pytest.Config, command: tuple[str, ...]) -> AbstractContextManager[Cluster]:
    """Skips, with the reason, where no cluster can be made."""
    if reason := requirements.of_cluster():
        pytest.skip(reason)
    return running_cluster(nodes=config.getoption("--cluster-nodes"), command=command)
