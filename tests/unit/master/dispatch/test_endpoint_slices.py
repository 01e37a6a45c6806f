"""Endpoints travel as slices: a change of one endpoint is a small message. Older sessions get whole Endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.desired.state import DesiredState
from master.dispatch.endpoints import MAX_ENDPOINTS, distributed, slice_message
from master.dispatch.outbox import Outbox
from master.dispatch.view import View
from master.kinds.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from master.kinds.core.node import Node, NodeAddress, NodeSpec, NodeStatus
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.kinds.discovery.endpointslice import Endpoint, EndpointConditions, EndpointSlice, EndpointSlicePort
from master.objects.meta import ObjectMeta
from proto.gen import desired_pb2, session_pb2
from tests.first_release import as_it_reads

CIDRS = ("10.244.0.0/16", "10.96.0.0/16")
WEB = Service(
    metadata=ObjectMeta(name="web", namespace="default"),
    spec=ServiceSpec(cluster_ip="10.96.0.9", ports=(ServicePort(name="http", port=80, protocol="TCP"),)),
)
SELECTED = Service(
    metadata=WEB.metadata,
    spec=ServiceSpec(cluster_ip="10.96.0.9", ports=WEB.spec.ports, selector={"app": "web"}),
)


@dataclass(frozen=True)
class Change:
    kind: Any
    type: str
    obj: Any


def address(number: int) -> str:
    return f"10.244.{number // 250}.{number % 250 + 2}"


def subset(*numbers: int, port: int = 8080, **values: Any) -> EndpointSubset:
    ports = (EndpointPort(name="http", port=port, **values),)
    return EndpointSubset(addresses=tuple(EndpointAddress(ip=address(each)) for each in numbers), ports=ports)


def endpoints(*subsets: EndpointSubset, **labels: str) -> Endpoints:
    meta = ObjectMeta(name="web", namespace="default", labels={key.replace("__", "/"): v for key, v in labels.items()})
    return Endpoints(metadata=meta, subsets=subsets)


def sliced(name: str, *numbers: int, ready: bool | None = True, service: str = "web", **values: Any) -> EndpointSlice:
    usual: dict[str, Any] = {
        "address_type": "IPv4",
        "ports": (EndpointSlicePort(name="http", port=8080, protocol="TCP"),),
        "endpoints": tuple(
            Endpoint(addresses=(address(each),), conditions=EndpointConditions(ready=ready)) for each in numbers
        ),
    }
    labels = {"kubernetes.io/service-name": service} if service else {}
    return EndpointSlice(metadata=ObjectMeta(name=name, namespace="default", labels=labels), **usual | values)


def node() -> Node:
    status = NodeStatus(addresses=(NodeAddress(type="InternalIP", address="10.0.0.1"),))
    return Node(metadata=ObjectMeta(name="node-0"), spec=NodeSpec(pod_cidr="10.244.0.0/24"), status=status)


class Session:
    """One node's session: the bytes that it is sent, and the state that its agent makes of them."""

    def __init__(self, *objects: Any, slices: bool = True) -> None:
        self.view, self.outbox, self.state = View(*CIDRS), Outbox(version=3 if slices else 2), DesiredState()
        self.view.load(1, [(None, obj) for obj in (node(), *objects)])  # type: ignore[misc]
        self.outbox.attach()
        self.take()

    def take(self) -> list[session_pb2.Cut]:
        messages = self.outbox.take(self.view, "node-0")
        self.cuts = [session_pb2.DesiredMessage.FromString(raw).cut for raw in messages]
        self.sent_bytes = sum(map(len, messages))
        for cut in self.cuts:
            self.state.receive(cut)
        return self.cuts

    def change(self, *objects: Any, deleted: bool = False) -> list[session_pb2.Cut]:
        changes = [Change(None, "DELETED" if deleted else "MODIFIED", obj) for obj in objects]
        dirty = self.view.apply(self.view.revision + 1, changes)
        if keys := dirty.common(slices=self.outbox.slices):
            self.outbox.mark(keys)
        return self.take()

    def backends(self) -> list[str]:
        """The addresses that connections to the service port go to."""
        (port,) = self.state.for_network().services
        return [str(endpoint.address) for endpoint in port.endpoints]


def addresses(*numbers: int) -> list[str]:
    return sorted(map(address, numbers), key=lambda text: tuple(map(int, text.split("."))))


def test_a_change_of_one_of_a_thousand_written_endpoints_costs_one_slice() -> None:
    session = Session(WEB, endpoints(subset(*range(1000))))
    assert session.backends() == addresses(*range(1000))
    whole = session.sent_bytes
    for gone in (0, 500, 999):
        left = [number for number in range(1000) if number != gone]
        (cut,) = session.change(endpoints(subset(*left)))
        assert len(cut.endpoint_slices) == 1 and not cut.endpoints
        assert session.sent_bytes < whole / 8
        assert session.backends() == addresses(*left)
        (cut,) = session.change(endpoints(subset(*range(1000))))
        assert len(cut.endpoint_slices) == 1 and len(cut.endpoint_slices[0].endpoints.addresses) == MAX_ENDPOINTS
    assert session.backends() == addresses(*range(1000))


def test_a_change_of_one_of_a_thousand_selected_endpoints_costs_one_slice() -> None:
    parts = [sliced(f"web-{start}", *range(start, start + 100)) for start in range(0, 1000, 100)]
    session = Session(SELECTED, endpoints(subset(*range(1000))), *parts)
    assert session.backends() == addresses(*range(1000))
    assert session.change(endpoints(subset(*range(1, 1000)))) == [], "the Endpoints object is not sent"
    (cut,) = session.change(sliced("web-0", *range(1, 100)))
    assert [part.ref.name for part in cut.endpoint_slices] == ["web-0"]
    assert session.backends() == addresses(*range(1, 1000))
    (cut,) = session.change(parts[9], deleted=True)
    assert [ref.name for ref in cut.removed_endpoint_slices] == ["web-900"]
    assert session.backends() == addresses(*range(1, 900))


def test_a_session_without_slices_gets_whole_endpoints() -> None:
    session = Session(SELECTED, endpoints(subset(1, 2)), sliced("web-0", 1, 2), slices=False)
    assert not session.cuts[0].endpoint_slices
    assert session.backends() == addresses(1, 2)
    assert session.change(sliced("web-0", 1)) == []
    (cut,) = session.change(endpoints(subset(1)))
    assert [list(each.subsets[0].addresses) for each in cut.endpoints] == [[address(1)]]
    assert session.backends() == addresses(1)
    assert session.change(endpoints(subset(1), label="changed")) == [], "nothing changes for nodes"


def test_written_endpoints_and_written_slices_of_a_service_without_a_selector_add_up() -> None:
    session = Session(WEB, endpoints(subset(1)), sliced("mine", 2, 1))
    assert session.backends() == addresses(1, 2)
    session.change(endpoints(subset(1)), deleted=True)
    assert session.backends() == addresses(1, 2)
    session.change(sliced("mine", 2, 1), deleted=True)
    assert session.backends() == []


def test_written_endpoints_are_distributed_only_while_their_service_has_no_selector() -> None:
    session = Session(endpoints(subset(1)))
    assert not session.cuts[0].endpoint_slices, "no service"
    session.change(WEB)
    assert session.backends() == addresses(1)
    session.change(SELECTED)
    assert session.backends() == []
    session.change(WEB)
    assert session.backends() == addresses(1)
    skipped = endpoints(subset(1), **{"endpointslice.kubernetes.io__skip-mirror": "true"})
    session.change(skipped)
    assert session.backends() == []


def test_written_endpoints_are_no_longer_distributed_although_an_older_session_gets_the_same_endpoints() -> None:
    session = Session(WEB, endpoints(subset(1)))
    assert session.view.snapshot("node-0", 2)
    session.change(endpoints(subset(1), **{"endpointslice.kubernetes.io__skip-mirror": "true"}))
    assert session.backends() == []


def test_a_slice_that_moves_to_another_service_leaves_the_first() -> None:
    other = Service(metadata=ObjectMeta(name="other", namespace="default"), spec=WEB.spec)
    session = Session(SELECTED, other, sliced("part", 1))
    assert {each.name: len(each.endpoints) for each in session.state.for_network().services} == {
        "default/other:http": 0,
        "default/web:http": 1,
    }
    session.change(sliced("part", 1, service="other"))
    assert {each.name: len(each.endpoints) for each in session.state.for_network().services} == {
        "default/other:http": 1,
        "default/web:http": 0,
    }


def test_a_slice_whose_label_becomes_an_invalid_name_leaves_its_service() -> None:
    session = Session(WEB, sliced("a", 1))
    assert session.backends() == addresses(1)
    session.change(sliced("a", 1, service="Not_A_Name"))
    assert session.backends() == []


def test_the_state_on_disk_has_whole_endpoints_that_the_release_before_can_read() -> None:
    session = Session(SELECTED, sliced("web-0", 1, 2), sliced("web-1", 3))
    kept = session.state.dump(secrets=False)
    assert not kept.endpoint_slices
    then = as_it_reads("Cut", kept.SerializeToString())
    (whole,) = then["endpoints"]
    assert whole["ref"] == {"namespace": "default", "name": "web"}
    assert sorted(part["addresses"] for part in whole["subsets"]) == [[address(1), address(2)], [address(3)]]
    back = DesiredState()
    back.restore(kept, secrets_known=False)
    (port,) = back.for_network().services
    assert [str(each.address) for each in port.endpoints] == addresses(1, 2, 3)


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        pytest.param(sliced("p", 1, 2), 2, id="ready"),
        pytest.param(sliced("p", 1, 2, ready=None), 2, id="ready by default"),
        pytest.param(sliced("p", 1, ready=False), 0, id="not ready"),
        pytest.param(sliced("p", 1, service=""), 0, id="of no service"),
        pytest.param(sliced("p", 1, address_type="IPv6"), 0, id="IPv6"),
        pytest.param(sliced("p", 1, ports=()), 1, id="without ports, of a headless service"),
        pytest.param(sliced("p", 1, ports=(EndpointSlicePort(name="http"),)), 0, id="all ports"),
        pytest.param(sliced("p", 1, ports=(EndpointSlicePort(port=80, protocol="GRE"),)), 0, id="protocol"),
        pytest.param(sliced("p", endpoints=(Endpoint(addresses=()),)), 0, id="no address"),
        pytest.param(sliced("p", endpoints=(Endpoint(addresses=("fd00::1",)),)), 0, id="another address"),
    ],
)
def test_only_ready_endpoints_that_nodes_can_reach_are_sent(part: EndpointSlice, sent: int) -> None:
    message = slice_message(part)
    assert (len(message.endpoints.addresses) if message else 0) == sent


@pytest.mark.parametrize("slices", [True, False])
def test_one_bad_endpoint_costs_that_endpoint_only(slices: bool) -> None:
    """The API accepts any protocol and any address in Endpoints."""
    both = EndpointSubset(
        addresses=(EndpointAddress(ip="fd00::1"), EndpointAddress(ip=address(1))),
        ports=(EndpointPort(name="http", port=8080), EndpointPort(name="odd", port=1, protocol="GRE")),
    )
    session = Session(WEB, endpoints(both), slices=slices)
    assert session.backends() == addresses(1)
    assert not session.state.take_refusals()


def test_slices_that_mirror_written_endpoints_are_left_out() -> None:
    part = sliced("mirror", 1)
    assert slice_message(part) is not None
    mirror = {"endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io"}
    labels = part.metadata.labels | mirror
    assert slice_message(replace(part, metadata=replace(part.metadata, labels=labels))) is None


def test_an_address_that_the_agent_cannot_read_costs_that_endpoint_only(caplog: pytest.LogCaptureFixture) -> None:
    session = Session(WEB)
    ref = desired_pb2.ObjectRef(namespace="default", name="web")
    port = desired_pb2.EndpointPort(name="http", protocol="TCP", port=80)
    bad = desired_pb2.EndpointSubset(addresses=["nowhere", address(3)], ports=[port])
    slices = [desired_pb2.EndpointSlice(ref=ref, service="web", endpoints=bad)]
    session.state.receive(session_pb2.Cut(base_revision=1, revision=2, last=True, endpoint_slices=slices))
    assert session.backends() == addresses(3)
    assert "service default/web: endpoint left out" in caplog.text


def test_host_names_are_sent_with_their_addresses() -> None:
    named = Endpoint(addresses=(address(1),), hostname="web-0")
    message = slice_message(sliced("p", endpoints=(named, Endpoint(addresses=(address(2),)))))
    assert message is not None
    assert list(message.endpoints.hostnames) == ["web-0", ""]
    without = slice_message(sliced("p", 1, 2))
    assert without is not None and not without.endpoints.hostnames
    subset = EndpointSubset(addresses=(EndpointAddress(ip=address(1), hostname="a"), EndpointAddress(ip=address(2))))
    [part] = distributed(endpoints(subset), {}).values()
    assert (part.ports, part.hostnames) == ((), ("a", ""))


numbers = st.lists(st.integers(0, 400), max_size=350, unique=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6))
def test_parts_have_exactly_the_endpoints_and_stay_where_they_are(steps: list[tuple[list[int], list[int]]]) -> None:
    parts: dict[int, Any] = {}
    for first, second in steps:
        before, parts = parts, distributed(endpoints(subset(*first), subset(*second, port=9090)), parts)
        content = sorted(
            (port, text) for part in parts.values() for _, _, port in part.ports for text in part.addresses
        )
        assert content == sorted([(8080, address(n)) for n in first] + [(9090, address(n)) for n in second])
        assert all(0 < len(part.addresses) <= MAX_ENDPOINTS for part in parts.values())
        for number, part in parts.items():
            held = before[number].addresses if number in before and before[number].ports == part.ports else ()
            now = {8080: first, 9090: second}[part.ports[0][2]]
            assert {text for text in held if text in set(map(address, now))} <= set(part.addresses)
