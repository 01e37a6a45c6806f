"""Each predicate as a table: which node it rejects, and with which reasons."""

from __future__ import annotations

from typing import Any

import pytest

from master.kinds.core.pod.affinity import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from master.scheduler import predicates
from master.scheduler.model import HostPort, NodeFacts, NodeInfo, PodInfo, Request


def info(facts: NodeFacts, *pods: PodInfo) -> NodeInfo:
    node = NodeInfo(facts.name, facts)
    for pod in pods:
        node.add(pod)
    return node


def wants(uid: str = "new", **values: Any) -> PodInfo:
    return PodInfo(uid=uid, namespace="default", name=uid, **values)


GPUS = (("example.com/gpu", 2),)
ROOM = NodeFacts("n1", allocatable=Request(1000, 1000, GPUS), max_pods=2)


@pytest.mark.parametrize(
    ("pod", "held", "reasons"),
    [
        pytest.param(wants(request=Request(1000, 1000)), [], (), id="exactly all"),
        pytest.param(wants(request=Request(1001, 0)), [], ("Insufficient cpu",), id="cpu"),
        pytest.param(wants(request=Request(0, 1001)), [], ("Insufficient memory",), id="memory"),
        pytest.param(
            wants(request=Request(600, 600)),
            [wants("a", request=Request(500, 500))],
            ("Insufficient cpu", "Insufficient memory"),
            id="both beside another",
        ),
        pytest.param(wants(), [wants("a", request=Request(5000, 5000))], (), id="asks for nothing of a full node"),
        pytest.param(wants(), [wants("a"), wants("b")], ("Too many pods",), id="pods"),
        pytest.param(wants(request=Request(others=GPUS)), [], (), id="all of an extended resource"),
        pytest.param(
            wants(request=Request(others=GPUS)),
            [wants("a", request=Request(others=(("example.com/gpu", 1),)))],
            ("Insufficient example.com/gpu",),
            id="an extended resource beside another pod",
        ),
        pytest.param(
            wants(request=Request(others=(("ephemeral-storage", 1), ("example.com/fpga", 1)))),
            [],
            ("Insufficient ephemeral-storage", "Insufficient example.com/fpga"),
            id="resources that the node does not report",
        ),
    ],
)
def test_pod_fits_resources(pod: PodInfo, held: list[PodInfo], reasons: tuple[str, ...]) -> None:
    assert predicates.pod_fits_resources(pod, info(ROOM, *held), ROOM) == reasons


@pytest.mark.parametrize(
    ("requested", "used", "fits"),
    [
        pytest.param(HostPort("0.0.0.0", "TCP", 80), HostPort("0.0.0.0", "TCP", 80), False, id="same"),
        pytest.param(HostPort("0.0.0.0", "TCP", 80), HostPort("0.0.0.0", "TCP", 81), True, id="other port"),
        pytest.param(HostPort("0.0.0.0", "UDP", 80), HostPort("0.0.0.0", "TCP", 80), True, id="other protocol"),
        pytest.param(HostPort("10.0.0.1", "TCP", 80), HostPort("10.0.0.2", "TCP", 80), True, id="other address"),
        pytest.param(HostPort("10.0.0.1", "TCP", 80), HostPort("0.0.0.0", "TCP", 80), False, id="any address held"),
        pytest.param(
            HostPort("0.0.0.0", "TCP", 80), HostPort("10.0.0.2", "TCP", 80), False, id="any address requested"
        ),
    ],
)
def test_pod_fits_host_ports(requested: HostPort, used: HostPort, fits: bool) -> None:
    node = info(ROOM, wants("a", host_ports=frozenset({used})))
    reasons = predicates.pod_fits_host_ports(wants(host_ports=frozenset({requested})), node, ROOM)
    assert reasons == (() if fits else ("node(s) didn't have free ports for the requested pod ports",))


def test_a_pod_that_goes_frees_its_extended_resources() -> None:
    node = info(ROOM, wants("a", request=Request(others=GPUS)))
    node.remove("a")
    assert predicates.pod_fits_resources(wants(request=Request(others=GPUS)), node, ROOM) == ()


def test_a_freed_host_port_can_be_used_again() -> None:
    port = frozenset({HostPort("0.0.0.0", "TCP", 80)})
    node = info(ROOM, wants("a", host_ports=port))
    node.remove("a")
    assert predicates.pod_fits_host_ports(wants(host_ports=port), node, ROOM) == ()


@pytest.mark.parametrize(("named", "fits"), [("", True), ("n1", True), ("n2", False)])
def test_host_name(named: str, fits: bool) -> None:
    assert (predicates.host_name(wants(node_name=named), info(ROOM), ROOM) == ()) is fits


def term(*requirements: tuple[str, str, tuple[str, ...]], fields: bool = False) -> NodeSelector:
    listed = tuple(NodeSelectorRequirement(key=k, operator=o, values=v) for k, o, v in requirements)
    made = NodeSelectorTerm(match_fields=listed) if fields else NodeSelectorTerm(match_expressions=listed)
    return NodeSelector(node_selector_terms=(made,))


LABELLED = NodeFacts("n1", labels={"disk": "ssd", "cores": "8"})


@pytest.mark.parametrize(
    ("selector", "affinity", "fits"),
    [
        pytest.param({}, None, True, id="nothing asked"),
        pytest.param({"disk": "ssd"}, None, True, id="label there"),
        pytest.param({"disk": "hdd"}, None, False, id="other value"),
        pytest.param({"zone": "a"}, None, False, id="label absent"),
        pytest.param({}, term(("disk", "In", ("ssd", "nvme"))), True, id="In"),
        pytest.param({}, term(("disk", "NotIn", ("ssd",))), False, id="NotIn"),
        pytest.param({}, term(("zone", "NotIn", ("a",))), True, id="NotIn absent"),
        pytest.param({}, term(("disk", "Exists", ())), True, id="Exists"),
        pytest.param({}, term(("zone", "DoesNotExist", ())), True, id="DoesNotExist"),
        pytest.param({}, term(("cores", "Gt", ("4",))), True, id="Gt"),
        pytest.param({}, term(("cores", "Lt", ("4",))), False, id="Lt"),
        pytest.param({}, term(("disk", "Gt", ("4",))), False, id="Gt of no number"),
        pytest.param({}, term(("metadata.name", "In", ("n1",)), fields=True), True, id="field"),
        pytest.param({}, NodeSelector(node_selector_terms=(NodeSelectorTerm(),)), False, id="empty term"),
        pytest.param({"disk": "hdd"}, term(("disk", "In", ("ssd",))), False, id="both must hold"),
    ],
)
def test_match_node_selector(selector: dict[str, str], affinity: NodeSelector | None, fits: bool) -> None:
    pod = wants(node_selector=selector, node_affinity=affinity)
    assert (predicates.match_node_selector(pod, info(LABELLED), LABELLED) == ()) is fits


def test_a_node_that_is_not_ready_or_cordoned_is_rejected() -> None:
    away = NodeFacts("n1", ready=False, unschedulable=True)
    assert predicates.node_is_ready(wants(), info(away), away) == ("node(s) were not ready",)
    assert predicates.node_is_schedulable(wants(), info(away), away) == ("node(s) were unschedulable",)
