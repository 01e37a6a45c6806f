"""A pod for which the node has no room is refused by the node itself; the older pods stay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.amounts import Amount, requests_of
from agent.model import Container, ContainerPort, HostPort, Pod, PodPhase, PodUid, Resources, RestartPolicy
from agent.pods.hostports import ports_of_node
from agent.pods.room import without_room
from agent.statuses import NO_CAPACITY, Capacity
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, Bed, desired, pod

GIB = 1 << 30
NODE = Capacity(cpu_millis=1000, memory_bytes=GIB, pods=3, ephemeral_storage_bytes=GIB)


def container(cpu: int = 0, memory: int = 0, disk: int = 0, *, policy: RestartPolicy | None = None) -> Container:
    resources = Resources(cpu_request_millis=cpu, memory_request_bytes=memory, ephemeral_storage_request_bytes=disk)
    return Container("app", IMAGE, resources=resources, restart_policy=policy)


def numbered(number: int, *containers: Container, **changes: object) -> Pod:
    """A pod whose number is its age: those with a smaller one are older."""
    changes = {"uid": PodUid(f"u{number}"), "name": f"web-{number}", "created_at": 100.0 + number} | changes
    return replace(pod(containers=containers or (container(),)), **changes)  # type: ignore[arg-type]


def test_init_containers_run_beside_the_sidecars_before_them_and_before_the_containers() -> None:
    side, init = container(300, policy=RestartPolicy.ALWAYS), container(500)
    assert requests_of(pod(containers=(container(100), container(200)))) == Amount(300)
    assert requests_of(pod(containers=(container(100),), init_containers=(init,))) == Amount(500)
    web = pod(containers=(container(100),), init_containers=(replace(side, name="s"), replace(init, name="i")))
    assert requests_of(web) == Amount(800)
    web = pod(containers=(container(600),), init_containers=(replace(init, name="i"), replace(side, name="s")))
    assert requests_of(web) == Amount(900)


@pytest.mark.parametrize(
    ("pods", "refused"),
    [
        pytest.param([numbered(1, container(600)), numbered(2, container(400))], {}, id="all fit"),
        pytest.param(
            [numbered(2, container(600)), numbered(1, container(600)), numbered(3, container(400))],
            {"u2": "OutOfcpu"},
            id="the younger one does not, a still younger and smaller one does",
        ),
        pytest.param(
            [numbered(1, container(memory=GIB)), numbered(2, container(memory=1))], {"u2": "OutOfmemory"}, id="memory"
        ),
        pytest.param(
            [numbered(1, container(disk=GIB)), numbered(2, container(disk=1))],
            {"u2": "OutOfephemeral-storage"},
            id="disk",
        ),
        pytest.param([numbered(1, container(memory=GIB)), numbered(2)], {}, id="a pod without requests"),
        pytest.param([numbered(number) for number in range(1, 5)], {"u4": "OutOfpods"}, id="too many pods"),
        pytest.param(
            [numbered(1, container(1000), ended_phase=PodPhase.SUCCEEDED), numbered(2, container(1000))],
            {},
            id="a pod that has ended",
        ),
    ],
)
def test_which_pods_have_no_room(pods: list[Pod], refused: dict[str, str]) -> None:
    assert {uid: refusal.reason for uid, refusal in without_room(pods, NODE).items()} == refused


HTTP = ContainerPort(80, host_port=80)


def with_port(number: int, port: ContainerPort, **changes: object) -> Pod:
    return numbered(number, replace(container(), ports=(port,)), **changes)


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [
        pytest.param(HTTP, HTTP, False, id="the same"),
        pytest.param(HTTP, replace(HTTP, host_port=81), True, id="another port"),
        pytest.param(HTTP, replace(HTTP, protocol="UDP"), True, id="another protocol"),
        pytest.param(HTTP, replace(HTTP, host_ip="192.0.2.1"), False, id="all addresses and one"),
        pytest.param(HTTP, replace(HTTP, host_ip="0.0.0.0"), False, id="all addresses, said in two ways"),
        pytest.param(replace(HTTP, host_ip="192.0.2.2"), replace(HTTP, host_ip="192.0.2.1"), True, id="two addresses"),
    ],
)
def test_two_pods_cannot_have_the_same_host_port(first: ContainerPort, second: ContainerPort, fits: bool) -> None:
    for capacity in (NODE, NO_CAPACITY):
        refused = without_room([with_port(2, second), with_port(1, first)], capacity)
        assert {uid: refusal.reason for uid, refusal in refused.items()} == ({} if fits else {"u2": "NodePorts"})


def test_ports_of_the_hosts_network_and_of_sidecars_count_and_those_of_ended_pods_do_not() -> None:
    host = with_port(1, ContainerPort(80), host_network=True)
    sidecar = replace(container(policy=RestartPolicy.ALWAYS), name="side", ports=(HTTP,))
    init = replace(sidecar, restart_policy=None)
    for pods, refused in (
        ([host, with_port(2, HTTP)], {"u2"}),
        ([numbered(1, init_containers=(sidecar,)), with_port(2, HTTP)], {"u2"}),
        ([numbered(1, init_containers=(init,)), with_port(2, HTTP)], set()),
        ([with_port(1, HTTP, ended_phase=PodPhase.FAILED), with_port(2, HTTP)], set()),
        ([with_port(1, HTTP), with_port(2, HTTP), with_port(3, HTTP)], {"u2", "u3"}),
    ):
        assert without_room(pods, NODE).keys() == refused


async def test_a_pod_that_arrives_later_does_not_push_out_an_admitted_one_even_if_it_is_older(bed: Bed) -> None:
    first, late = with_port(2, HTTP), with_port(1, HTTP)
    async with bed.running(first) as manager:
        await manager.apply(desired(first, late), complete=True)
        await settle()
        assert bed.ready(first.uid)
        assert bed.reporter.statuses[late.uid].reason == "NodePorts"


async def test_a_pod_without_a_free_port_fails_as_in_kubernetes(bed: Bed) -> None:
    first, second = with_port(1, HTTP), with_port(2, HTTP)
    async with bed.running(first, second):
        assert bed.ready(first.uid)
        status = bed.reporter.statuses[second.uid]
        text = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
        assert (status.phase, status.reason) == (PodPhase.FAILED, "NodePorts")
        assert status.message == f"Pod was rejected: {text}"


@pytest.mark.parametrize(
    ("masters", "ports"),
    [
        (("https://192.0.2.7:6443", "192.0.2.7:6444"), (6443, 6444)),
        (("https://127.0.0.1:6443", "localhost:6444"), (6443, 6444)),
        (("https://192.0.2.8:6443", "master.example:6444"), ()),
        (("https://192.0.2.7", "192.0.2.7"), ()),
    ],
)
def test_a_node_keeps_the_ports_of_its_overlay_and_of_a_master_on_it(
    masters: tuple[str, ...], ports: tuple[int, ...]
) -> None:
    own = ports_of_node(overlay=4789, masters=masters, addresses=("192.0.2.7", "10.0.0.7"))
    assert own == (HostPort("", "UDP", 4789, 4789), *(HostPort("", "TCP", port, port) for port in ports))


async def test_a_pod_cannot_have_a_port_of_the_node_itself(bed: Bed) -> None:
    own = ports_of_node(overlay=4789, masters=("https://192.0.2.7:6443",), addresses=("192.0.2.7",))
    bed.config = replace(bed.config, node_ports=own)
    overlay = with_port(1, ContainerPort(80, host_port=4789, protocol="UDP"))
    master = with_port(2, ContainerPort(6443, host_port=6443, host_ip="127.0.0.1"))
    other = with_port(3, ContainerPort(80, host_port=4789))
    async with bed.running(overlay, master, other):
        statuses = bed.reporter.statuses
        assert statuses[overlay.uid].reason == statuses[master.uid].reason == "NodePorts"
        assert bed.ready(other.uid) and set(bed.network.ports) == {other.uid}


async def test_the_network_publishes_the_host_ports_of_a_pod(bed: Bed) -> None:
    ports = (HTTP, ContainerPort(53, host_port=1053, protocol="UDP", host_ip="0.0.0.0"), ContainerPort(9))
    addressed = (replace(HTTP, host_port=82, host_ip="192.0.2.1"), replace(HTTP, host_port=83, host_ip="::"))
    web = numbered(1, replace(container(), ports=(*ports, *addressed)))
    host = numbered(2, replace(container(), ports=(ContainerPort(90, host_port=90),)), host_network=True)
    async with bed.running(web, host):
        assert bed.network.ports == {
            web.uid: (
                HostPort("default/web-1", "TCP", 80, 80),
                HostPort("default/web-1", "UDP", 1053, 53),
                HostPort("default/web-1", "TCP", 82, 80, "192.0.2.1"),
            )
        }


async def test_a_pod_without_room_has_failed_whatever_happens_later_and_the_other_one_runs(bed: Bed) -> None:
    bed.config = replace(bed.config, node=NODE)
    first, second = numbered(1, container(700)), numbered(2, container(700))
    async with bed.running(first, second) as manager:
        assert bed.ready(first.uid)
        status = bed.reporter.statuses[second.uid]
        text = "Node didn't have enough resource: cpu, requested: 700, used: 700, capacity: 1000"
        assert (status.phase, status.reason) == (PodPhase.FAILED, "OutOfcpu")
        assert status.message == f"Pod was rejected: {text}"
        (event,) = [event for event in bed.reporter.events if event.reason == "OutOfcpu"]
        assert event.message == text and event.warning
        await manager.apply(desired(second), complete=True)
        await bed.clock.advance(60)
        assert bed.reporter.statuses[second.uid].phase is PodPhase.FAILED


async def test_a_pod_that_runs_already_is_not_judged_again(bed: Bed) -> None:
    web = numbered(1, container(700))
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
    bed.config = replace(bed.config, node=replace(NODE, cpu_millis=100))
    async with bed.running(web):
        assert bed.ready(web.uid)
