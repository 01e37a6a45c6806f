"""A snapshot has limited space: what does not fit is not sent, and it comes as soon as there is space."""

from __future__ import annotations

import weakref
from typing import Any

import msgspec

from master import kinds
from master.cache import Entry
from master.dispatch.desired import running_first
from master.dispatch.view import View
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.pod.container import ContainerStatus
from master.kinds.core.pod.model import Pod, PodSecurityContext, PodStatus
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.objects.meta import ObjectMeta
from master.registry.resource import Resource
from proto import contract
from proto.gen import session_pb2
from tests.unit.master.dispatch.session import Session, pod


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
    return Entry(kind, obj.metadata.namespace, obj.metadata.name, (kind.schema.encode(obj),), 1)


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
