"""Where a connection to a pod is made."""

from __future__ import annotations

import pytest

from agent.model import Container, Pod, PodUid
from agent.pods.connections import way_to
from agent.pods.errors import NoConnection
from agent.pods.observed import Instance, Observed
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord


def pod(*, host_network: bool = False) -> Pod:
    return Pod(PodUid("u"), "default", "web", containers=(Container("app", "image"),), host_network=host_network)


def observed(phase: ContainerPhase = ContainerPhase.RUNNING, *, pid: int = 42, address: str = "10.244.0.5") -> Observed:
    record = ContainerRecord(ContainerId("s"), "s", {}, phase=phase, pid=pid)
    return Observed(sandboxes=(Instance(record, 0),), address=address)


@pytest.mark.parametrize(
    ("host_network", "by_pod_address", "addresses", "place"),
    [
        pytest.param(False, False, ["127.0.0.1", "::1"], (42, "10.244.0.5"), id="inside of the pod"),
        pytest.param(True, False, ["127.0.0.1", "::1"], None, id="on the host"),
        pytest.param(False, True, ["10.244.0.5"], None, id="by the pod's address"),
        pytest.param(True, True, ["10.244.0.5"], None, id="by the host's address"),
    ],
)
def test_places(host_network: bool, by_pod_address: bool, addresses: list[str], place: tuple[int, str] | None) -> None:
    way = way_to(pod(host_network=host_network), observed(), by_pod_address=by_pod_address)
    assert [str(address) for address in way.addresses] == addresses
    assert ((way.place.pid, str(way.place.address)) if way.place else None) == place


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(Observed(), id="no sandbox"),
        pytest.param(observed(ContainerPhase.EXITED), id="ended"),
        pytest.param(observed(ContainerPhase.CREATED), id="not started"),
        pytest.param(observed(address=""), id="no address"),
        pytest.param(observed(pid=0), id="pid not known"),
    ],
)
def test_a_pod_without_a_network_is_refused(state: Observed) -> None:
    with pytest.raises(NoConnection, match="default/web"):
        way_to(pod(), state, by_pod_address=False)
