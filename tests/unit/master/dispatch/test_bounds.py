"""Numbers and texts at the bounds of the API are within the bounds of agents; what is beyond them is not sent."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from agent.desired.state import DesiredState
from agent.model import PodPhase, PullPolicy, RestartPolicy
from master import cluster_api, kinds
from master.api.errors import BadRequest
from master.api.resources import Resources
from master.cache import Cache, Entry
from master.dispatch.desired import running_first
from master.dispatch.outbox import Outbox
from master.dispatch.streams import log_request
from master.dispatch.view import View
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.endpoints import Endpoints
from master.kinds.core.namespace import Namespace
from master.kinds.core.node import Node, NodeAddress, NodeSpec, NodeStatus
from master.kinds.core.pod.container import ContainerStatus
from master.kinds.core.pod.logs import LogOptions
from master.kinds.core.pod.model import Pod, PodSecurityContext, PodStatus
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.kinds.discovery.endpointslice import EndpointSlice
from master.objects.meta import ObjectMeta
from master.objects.scalars import MAX_INT32
from master.registry.resource import Resource
from master.store.memory import MemoryStore
from proto import checks, contract
from proto.gen import session_pb2
from tests.fakes.clock import FakeClock
from tests.fakes.sessions import CALLER

NOW = datetime(2026, 11, 28, tzinfo=UTC).timestamp()
MAX_INT64 = (1 << 63) - 1
LONGEST_LABEL, LONGEST_NAME = "a" * 63, ".".join(["a" * 63] * 3 + ["a" * 61])


@dataclass(frozen=True)
class Change:
    kind: Any
    type: str
    obj: Any


@pytest.fixture
async def resources() -> AsyncIterator[Resources]:
    store = MemoryStore()
    resources = cluster_api.resources(store, await Cache.load(store, kinds.ALL), kinds.registry(), clock=FakeClock())
    for name in ("default", LONGEST_LABEL):
        await resources.create(CALLER, kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name=name)))
    yield resources


def node(address: str = "10.0.0.1") -> Node:
    status = NodeStatus(addresses=(NodeAddress(type="InternalIP", address=address),))
    return Node(metadata=ObjectMeta(name="n"), spec=NodeSpec(pod_cidr="10.244.0.0/24"), status=status)


class Session:
    """A session of node `n`: the master's view, and the agent's state."""

    def __init__(self, *objects: Any, reports: list[str] | None = None) -> None:
        self.problems: list[str] = [] if reports is None else reports
        self.view = View(
            "10.244.0.0/16", "10.96.0.0/16", on_unsendable=lambda _, problem: self.problems.append(problem)
        )
        self.view.load(1, [(None, obj) for obj in (node(), *objects)])  # type: ignore[misc]
        self.outbox, self.state = Outbox(), DesiredState()
        self.outbox.attach()
        self._take()

    def change(self, obj: Any, kind: str = "MODIFIED") -> None:
        dirty = self.view.apply(self.view.revision + 1, [Change(None, kind, obj)])
        if keys := dirty.common(slices=True) | dirty.nodes.get("n", set()):
            self.outbox.mark(keys)
        self._take()

    def _take(self) -> None:
        for raw in self.outbox.take(self.view, "n"):
            self.state.receive(session_pb2.DesiredMessage.FromString(raw).cut, member=True)

    def pods(self) -> dict[str, Any]:
        return {pod.name: pod for pod in self.state.for_pods().pods.values()}


def extreme_pod(name: str, namespace: str, number: int) -> Any:
    quantities = {"cpu": str(MAX_INT64), "memory": str(MAX_INT64)} if number else {"cpu": "0", "memory": "0"}
    port = 65535 if number else 1
    ports = [{"containerPort": port, "hostPort": port, "protocol": text} for text in ("TCP", "UDP", "SCTP")]
    mode = 0o777 if number else 0
    return {
        "metadata": {"name": name, "namespace": namespace, "annotations": {"a": "x" * (250 << 10)}},
        "spec": {
            "nodeName": "n",
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": MAX_INT32 if number else 0,
            "activeDeadlineSeconds": MAX_INT32 if number else 1,
            "securityContext": {"runAsUser": MAX_INT32 if number else 0, "runAsGroup": MAX_INT32 if number else 0},
            "volumes": [
                {"name": LONGEST_LABEL, "emptyDir": {"sizeLimit": str(MAX_INT64 if number else 0)}},
                {"name": "s", "secret": {"secretName": "NO NAME", "defaultMode": mode}},
                {"name": "m", "configMap": {"name": "x" * 1000, "defaultMode": mode}},
            ],
            "containers": [
                {
                    "name": LONGEST_LABEL,
                    "image": "i" * 100_000,
                    "ports": ports,
                    "resources": {"limits": quantities, "requests": quantities},
                    "env": [
                        {
                            "name": "CPU",
                            "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1n"}},
                        }
                    ],
                }
            ],
        },
    }


@pytest.mark.parametrize("number", [0, 1], ids=["least", "most"])
async def test_a_pod_at_the_bounds_of_the_api_reaches_its_node(resources: Resources, number: int) -> None:
    body = extreme_pod(LONGEST_NAME, LONGEST_LABEL, number)
    made = await resources.create(CALLER, kinds.POD, msgspec.convert(body, Pod, strict=False), namespace=LONGEST_LABEL)
    session = Session(made)
    assert not session.problems and not session.state.take_refusals()
    (pod,) = session.state.for_pods().pods.values()
    assert (pod.name, pod.namespace) == (LONGEST_NAME, LONGEST_LABEL)


async def test_services_endpoints_and_payloads_at_the_bounds_of_the_api_reach_the_node(resources: Resources) -> None:
    ports = [{"name": LONGEST_LABEL, "port": 65535, "protocol": "SCTP"}, {"name": "b", "port": 1, "protocol": "UDP"}]
    meta = {"name": LONGEST_LABEL, "namespace": LONGEST_LABEL}
    bodies: list[tuple[Any, Any, Any]] = [
        (kinds.SERVICE, Service, {"metadata": meta, "spec": {"clusterIP": "None", "ports": ports}}),
        (
            kinds.ENDPOINTS,
            Endpoints,
            {"metadata": meta, "subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": ports}]},
        ),
        (
            kinds.ENDPOINTSLICE,
            EndpointSlice,
            {
                "metadata": {
                    "name": LONGEST_NAME,
                    "namespace": LONGEST_LABEL,
                    "labels": {"kubernetes.io/service-name": LONGEST_LABEL},
                },
                "addressType": "IPv4",
                "endpoints": [{"addresses": ["10.1.2.3"]}],
                "ports": ports,
            },
        ),
        (
            kinds.CONFIGMAP,
            ConfigMap,
            {
                "metadata": {"name": LONGEST_NAME, "namespace": LONGEST_LABEL},
                "data": {"k" * 253: "x" * ((1 << 20) - 300)},
            },
        ),
    ]
    objects = []
    for kind, model, body in bodies:
        objects.append(await resources.create(CALLER, kind, msgspec.convert(body, model), namespace=LONGEST_LABEL))
    reader = {
        "metadata": {"name": "p", "namespace": LONGEST_LABEL},
        "spec": {
            "nodeName": "n",
            "containers": [{"name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": LONGEST_NAME}}]}],
        },
    }
    objects.append(await resources.create(CALLER, kinds.POD, msgspec.convert(reader, Pod), namespace=LONGEST_LABEL))
    session = Session(*objects)
    assert not session.problems and not session.state.take_refusals()
    desired = session.state.for_pods()
    assert (len(desired.pods), len(desired.services), len(desired.config_maps)) == (1, 1, 1)
    assert len(session.state.dump(secrets=True).endpoints[0].subsets) == 2


def pod(**metadata: Any) -> Pod:
    meta = {"name": "web", "namespace": "default", "uid": "u1", "creationTimestamp": "2026-11-28T00:00:00Z"} | metadata
    return msgspec.convert(
        {"metadata": meta, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}}, Pod
    )


def broken(**metadata: Any) -> Pod:
    """A pod as another release may have stored it: with a name of a container that agents refuse."""
    whole = pod(**metadata)
    containers = (msgspec.structs.replace(whole.spec.containers[0], name="../c"),)
    return msgspec.structs.replace(whole, spec=msgspec.structs.replace(whole.spec, containers=containers))


def test_a_pod_that_agents_would_refuse_is_not_sent_and_reported() -> None:
    session = Session(broken())
    assert session.pods() == {}
    assert session.problems == ["container: '../c' is not valid"]
    session.change(pod())
    assert list(session.pods()) == ["web"]
    session.change(broken())
    assert session.pods()["web"].containers[0].name == "c", "the pod stays as it was"


def test_a_pod_that_cannot_be_sent_can_still_be_deleted() -> None:
    deletion = {"deletionTimestamp": "2026-11-28T00:00:30Z", "deletionGracePeriodSeconds": 30}
    session = Session(broken())
    session.change(broken(**deletion))
    assert session.pods()["web"].deleted, "the agent reports that nothing is left"
    session = Session(pod())
    session.change(broken(**deletion))
    (ending,) = session.pods().values()
    assert ending.deleted and [container.name for container in ending.containers] == ["c"]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00"])
def test_times_of_a_wrong_clock_are_brought_within_bounds(moment: str) -> None:
    session = Session(pod(creationTimestamp=moment, deletionTimestamp=moment, deletionGracePeriodSeconds=MAX_INT64))
    (ending,) = session.pods().values()
    assert ending.deleted and ending.grace_period_s == MAX_INT32
    assert not session.problems


def test_a_node_without_address_keeps_its_configuration() -> None:
    session = Session()
    for address in ("", "fd00::1"):
        session.change(node(address))
        assert session.state.for_pods().host_ip == "10.0.0.1"
    session.change(node("10.0.0.2"))
    assert session.state.for_pods().host_ip == "10.0.0.2"


@pytest.mark.parametrize(
    ("options", "since"),
    [
        pytest.param(LogOptions(since_seconds=1), int(NOW) - 1, id="a second"),
        pytest.param(LogOptions(since_seconds=999_999 * 3600), 0, id="before 1970"),
        pytest.param(LogOptions(since_seconds=MAX_INT64), 0, id="before everything"),
        pytest.param(LogOptions(since_time="0001-01-01T00:00:00Z"), 0, id="year 1"),
        pytest.param(LogOptions(since_time="0001-01-01T00:00:00+14:00"), 0, id="before year 1"),
        pytest.param(LogOptions(since_time="1969-12-31T23:59:59.5Z"), 0, id="just before 1970"),
        pytest.param(LogOptions(since_time="9999-12-31T23:59:59Z"), checks.YEAR_10000 - 1, id="year 9999"),
        pytest.param(LogOptions(since_time="9999-12-31T23:59:59-14:00"), checks.YEAR_10000 - 1, id="year 10000"),
        pytest.param(LogOptions(tail_lines=MAX_INT64, limit_bytes=MAX_INT64), 0, id="large numbers"),
        pytest.param(LogOptions(tail_lines=0, limit_bytes=1), 0, id="small numbers"),
    ],
)
def test_no_log_option_makes_a_request_that_agents_refuse(options: LogOptions, since: int) -> None:
    request = log_request(options, NOW)
    request.pod_uid = "u"
    assert checks.logs(request) == ""
    assert request.since_unix_s == since


def test_a_time_that_cannot_be_read_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="sinceTime"):
        log_request(LogOptions(since_time="yesterday"), NOW)


def test_both_sides_know_the_same_words() -> None:
    assert {"", *map(str, RestartPolicy)} == checks.RESTART_POLICIES
    assert {"", *map(str, PullPolicy)} == checks.PULL_POLICIES
    assert {"", *map(str, PodPhase)} == checks.PHASES


def test_an_item_that_fits_into_no_message_is_not_sent() -> None:
    session = Session(pod(annotations={"a": "x" * contract.MAX_MESSAGE_BYTES}), pod(name="other", uid="u2"))
    assert list(session.pods()) == ["other"]
    assert "can be sent" in session.problems[0]


def big_map(name: str, size_bytes: int) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data={"key": "x" * size_bytes})


def reader(name: str, *maps: str, deleted: bool = False) -> Pod:
    """A pod that refers to these config maps."""
    meta = {"name": name, "namespace": "default", "uid": name}
    if deleted:
        meta["deletionTimestamp"] = "2026-11-28T00:00:30Z"
    sources = [{"configMapRef": {"name": each}} for each in maps]
    containers = [{"name": "c", "image": "i", "envFrom": sources}]
    return msgspec.convert({"metadata": meta, "spec": {"nodeName": "n", "containers": containers}}, Pod)


MIB = 1 << 20
NAMES = [f"map-{number}" for number in range(40)]


def test_a_pod_whose_config_maps_do_not_fit_into_a_snapshot_waits_until_there_is_space() -> None:
    maps = [big_map(name, MIB) for name in NAMES]
    session = Session(*maps, reader("first", *NAMES[:20]), reader("second", *NAMES[20:]), reader("third"))
    assert set(session.pods()) == {"first", "third"}
    assert session.problems == [
        "node n: the node's pods with their config maps and secrets would have more than 31 MiB"
    ]
    session.change(reader("first", *NAMES[:20]), "DELETED")
    assert set(session.pods()) == {"second", "third"}
    assert len(session.state.for_pods().config_maps) == 20


async def test_after_a_restart_a_pod_that_runs_has_its_space_before_one_that_waited() -> None:
    maps = [big_map(name, MIB) for name in NAMES]
    waiting, running = reader("a", *NAMES[:20]), reader("b", *NAMES[20:])
    statuses = (ContainerStatus(name="c", container_id="docker://b"),)
    running = msgspec.structs.replace(running, status=PodStatus(phase="Running", container_statuses=statuses))
    entries = [*(stored(kinds.POD, each) for each in (waiting, running)), *(stored(kinds.CONFIGMAP, m) for m in maps)]
    session = Session(*[obj async for obj in running_first(entries)])
    assert set(session.pods()) == {"b"}


def stored(kind: Resource[Any], obj: Any) -> Entry:
    return Entry(kind, obj.metadata.namespace, obj.metadata.name, kind.schema.encode(obj), 1)


class Fleeting(Pod, frozen=True, kw_only=True, weakref=True):
    """A pod whose end can be observed."""


async def test_pods_that_have_never_run_are_not_all_decoded_at_once() -> None:
    alive = 0

    class Counted(Entry):
        def read(self) -> Any:
            nonlocal alive
            alive += 1
            pod = Fleeting(metadata=ObjectMeta(name=self.name))
            weakref.finalize(pod, gone)
            return pod

    def gone() -> None:
        nonlocal alive
        alive -= 1

    entries = [Counted(kinds.POD, "default", name, b"", 1) for name in NAMES]
    seen = []
    async for obj in running_first(entries):
        seen.append(obj.metadata.name)
        assert alive == 1
    assert seen == NAMES


def test_an_older_agent_gets_no_pod_that_waits_and_none_that_is_deleted() -> None:
    web = reader("web", *NAMES)
    security = PodSecurityContext(run_as_non_root=True)
    web = msgspec.structs.replace(web, spec=msgspec.structs.replace(web.spec, security_context=security))
    session = Session(*(big_map(name, MIB) for name in NAMES), web)
    assert older_pods(session.view) == []
    session.change(web, "DELETED")
    assert older_pods(session.view) == []


def older_pods(view: View) -> list[str]:
    """The names of the pods in a snapshot for an agent of protocol version 2."""
    messages = [session_pb2.DesiredMessage.FromString(raw) for raw in view.snapshot("n", 2)]
    return [pod.name for message in messages for pod in message.cut.pods]


def test_a_pod_that_waits_can_be_deleted() -> None:
    session = Session(*(big_map(name, MIB) for name in NAMES), reader("large", *NAMES))
    assert session.pods() == {}
    session.change(reader("large", *NAMES, deleted=True))
    assert session.pods()["large"].deleted
    session.change(reader("large", *NAMES, deleted=True), "DELETED")
    assert session.pods() == {}
    session = Session(*(big_map(name, MIB) for name in NAMES), reader("large", *NAMES))
    session.change(reader("large", *NAMES), "DELETED")
    session.change(reader("small"))
    assert set(session.pods()) == {"small"}


def test_a_config_map_that_grows_beyond_the_space_is_withheld_until_it_fits() -> None:
    session = Session(*(big_map(name, 1) for name in NAMES), reader("web", *NAMES))
    for name in NAMES:
        session.change(big_map(name, MIB))
    held = session.state.for_pods().config_maps
    assert 20 < len(held) < 31 and set(session.pods()) == {"web"}
    fresh = Session(*(big_map(name, MIB) for name in NAMES[:30]), *(big_map(name, 1) for name in NAMES[30:]))
    fresh.change(reader("web", *NAMES))
    assert len(fresh.state.for_pods().config_maps) == 40
    for name in NAMES[:15]:
        session.change(big_map(name, 1))
    assert len(session.state.for_pods().config_maps) == 40
    session.change(reader("web"))
    assert session.state.for_pods().config_maps == {}


def test_services_that_do_not_fit_into_a_snapshot_are_not_sent() -> None:
    ports = tuple(ServicePort(name=f"{number:0>60}", port=number % 65535 + 1) for number in range(10_000))
    services = [
        Service(metadata=ObjectMeta(name=f"s{number}", namespace="default"), spec=ServiceSpec(ports=ports))
        for number in range(50)
    ]
    session = Session(*services, reader("web"))
    count = len(session.state.for_pods().services)
    assert 30 < count < 50 and len(session.problems) == 50 - count
    assert set(session.pods()) == {"web"}
    assert "the items of all nodes would have more than 32 MiB" in session.problems[0]
