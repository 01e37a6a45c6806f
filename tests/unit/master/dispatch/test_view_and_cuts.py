"""Deltas give the same state as a new snapshot, whatever happens in the cluster; messages keep their size limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.desired.state import DesiredState
from master import kinds
from master.cache import Unreadable
from master.dispatch import cuts
from master.dispatch.items import Key, Section
from master.dispatch.outbox import Outbox
from master.dispatch.view import View
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from master.kinds.core.node import Node, NodeAddress, NodeSpec, NodeStatus
from master.kinds.core.pod.container import Container, EnvFromSource
from master.kinds.core.pod.keys import ConfigMapEnvSource, SecretEnvSource
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.pod.volume import SecretVolumeSource, Volume
from master.kinds.core.secret import Secret
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.kinds.discovery.endpointslice import Endpoint, EndpointSlice, EndpointSlicePort
from master.objects.meta import ObjectMeta
from master.schema.protobuf.wire import to_varint
from proto import contract
from proto.gen import session_pb2

NODES = ("node-0", "node-1", "node-2")


@dataclass(frozen=True)
class Change:
    kind: Any
    type: str
    obj: Any


def node(name: str, variant: int) -> Node:
    number = NODES.index(name)
    return Node(
        metadata=ObjectMeta(name=name),
        spec=NodeSpec(pod_cidr=f"10.244.{number}.0/24"),
        status=NodeStatus(addresses=(NodeAddress(type="InternalIP", address=f"10.0.{variant}.{number}"),)),
    )


def pod(name: str, variant: int, *, on: str) -> Pod:
    sources = (
        EnvFromSource(config_map_ref=ConfigMapEnvSource(name=f"object-{variant % 3}")),
        EnvFromSource(secret_ref=SecretEnvSource(name=f"object-{variant % 2}")),
    )
    container = Container(name="app", image=f"app:{variant}", env_from=sources[: variant % 3])
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}-{on}"),
        spec=PodSpec(node_name=on, containers=(container,)),
    )


def service(name: str, variant: int) -> Service:
    return Service(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=ServiceSpec(
            cluster_ip=f"10.96.0.{variant + 1}",
            ports=(ServicePort(port=80 + variant),),
            type="ExternalName" if variant == 4 else "",
            selector={"app": name} if variant == 3 else {},
        ),
    )


def endpoints(name: str, variant: int) -> Endpoints:
    addresses = tuple(EndpointAddress(ip=f"10.244.0.{number + 2}") for number in range(variant))
    return Endpoints(
        metadata=ObjectMeta(name=name, namespace="default"),
        subsets=(EndpointSubset(addresses=addresses, ports=(EndpointPort(port=8080),)),),
    )


def endpoint_slice(name: str, variant: int) -> EndpointSlice:
    labels = {"kubernetes.io/service-name": f"object-{variant % 3}"}
    return EndpointSlice(
        metadata=ObjectMeta(name=name, namespace="default", labels=labels),
        address_type="IPv4",
        endpoints=tuple(Endpoint(addresses=(f"10.244.1.{number + 2}",)) for number in range(variant)),
        ports=(EndpointSlicePort(port=8080),),
    )


def config_map(name: str, variant: int) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data={"key": str(variant), "b": "c"})


def secret(name: str, variant: int) -> Secret:
    return Secret(metadata=ObjectMeta(name=name, namespace="default"), data={"key": "dg==", str(variant): ""})


names = st.sampled_from(["object-0", "object-1", "object-2"])
variants = st.integers(0, 4)
objects = st.one_of(
    st.builds(lambda name, variant: (kinds.NODE, node(name, variant)), st.sampled_from(NODES), variants),
    st.builds(
        lambda name, variant, on: (kinds.POD, pod(name, variant, on=on)), names, variants, st.sampled_from(NODES)
    ),
    st.builds(lambda name, variant: (kinds.SERVICE, service(name, variant)), names, variants),
    st.builds(lambda name, variant: (kinds.ENDPOINTS, endpoints(name, variant)), names, variants),
    st.builds(lambda name, variant: (kinds.ENDPOINTSLICE, endpoint_slice(name, variant)), names, variants),
    st.builds(lambda name, variant: (kinds.CONFIGMAP, config_map(name, variant)), names, variants),
    st.builds(lambda name, variant: (kinds.SECRET, secret(name, variant)), names, variants),
)
steps = st.lists(
    st.tuples(st.lists(st.tuples(objects, st.booleans()), max_size=4), st.booleans()), min_size=1, max_size=25
)


def take(outbox: Outbox, view: View, state: DesiredState) -> None:
    for message in outbox.take(view, "node-0"):
        state.receive(session_pb2.DesiredMessage.FromString(message).cut)


def content(state: DesiredState) -> Any:
    cut = state.dump(secrets=True)
    pods = {pod.uid: pod for pod in cut.pods}
    items = {name: sorted(map(str, getattr(cut, name))) for name in ("services", "peers", "config_maps", "secrets")}
    items["endpoints"] = sorted(
        f"{whole.ref.name} {address}:{port.port}"
        for whole in cut.endpoints
        for subset in whole.subsets
        for address in subset.addresses
        for port in subset.ports
    )
    return items, pods, str(cut.node)


@settings(max_examples=300, deadline=None)
@given(steps, st.booleans())
def test_applying_deltas_gives_the_same_state_as_a_new_snapshot(batches: list[Any], slices: bool) -> None:
    view = View("10.244.0.0/16", "10.96.0.0/16")
    view.load(1, [(kinds.NODE, node("node-0", 0))])
    live: dict[tuple[Any, str, str], Any] = {(kinds.NODE, "node-0", ""): node("node-0", 0)}
    outbox, state = Outbox(version=3 if slices else 2, max_keys=6), DesiredState()
    outbox.attach()
    take(outbox, view, state)
    for revision, (batch, sends) in enumerate(batches, start=2):
        changes = []
        for (kind, obj), deleted in batch:
            key = (kind, obj.metadata.name, obj.metadata.uid)
            if deleted and key in live and key[1] != "node-0":
                changes.append(Change(kind, "DELETED", live.pop(key)))
            elif not deleted:
                changes.append(Change(kind, "MODIFIED" if key in live else "ADDED", obj))
                live[key] = obj
        dirty = view.apply(revision, changes)
        if keys := dirty.common(slices=slices) | dirty.nodes.get("node-0", set()):
            outbox.mark(keys)
        if sends:
            take(outbox, view, state)
    take(outbox, view, state)
    fresh_view, fresh = View("10.244.0.0/16", "10.96.0.0/16"), DesiredState()
    fresh_view.load(999, [(key[0], obj) for key, obj in live.items()])
    fresh_outbox = Outbox(version=3 if slices else 2)
    fresh_outbox.attach()
    take(fresh_outbox, fresh_view, fresh)
    assert content(state) == content(fresh)


def test_a_status_that_the_node_does_not_need_is_not_sent() -> None:
    view = View("10.244.0.0/16", "10.96.0.0/16")
    web = pod("web", 1, on="node-0")
    view.load(1, [(kinds.POD, web)])
    import msgspec

    reported = msgspec.structs.replace(web, status=msgspec.structs.replace(web.status, phase="Running"))
    dirty = view.apply(2, [Change(kinds.POD, "MODIFIED", reported)])
    assert not dirty.shared
    assert not dirty.nodes


def test_a_secret_goes_only_to_the_node_whose_pod_references_it() -> None:
    view = View("10.244.0.0/16", "10.96.0.0/16")
    view.load(1, [(kinds.SECRET, secret("object-0", 0)), (kinds.POD, pod("web", 2, on="node-1"))])
    key = Key(Section.SECRET, "default", "object-0")
    assert view.lookup("node-1", key)
    assert view.lookup("node-0", key) is None
    dirty = view.apply(2, [Change(kinds.POD, "DELETED", pod("web", 2, on="node-1"))])
    assert key in dirty.nodes["node-1"]
    assert view.lookup("node-1", key) is None


def test_a_large_snapshot_is_split_into_messages_and_the_last_one_marked() -> None:
    items = [b"\x3a" + _length(300_000) + b"\x0a" + _length(299_996) + b"x" * 299_996 for _ in range(10)]
    messages = cuts.snapshot(7, items)
    assert all(len(message) <= contract.MAX_CUT_BYTES for message in messages)
    parsed = [session_pb2.DesiredMessage.FromString(message).cut for message in messages]
    assert [cut.last for cut in parsed] == [False] * (len(parsed) - 1) + [True]
    assert {cut.revision for cut in parsed} == {7}
    assert all(cut.snapshot for cut in parsed)
    assert len(parsed) == 4


def test_an_object_larger_than_a_message_gets_its_own_message() -> None:
    messages = cuts.delta(1, 2, [b"", b"\x9a\x06" + _length(2 << 20) + b"y" * (2 << 20), b""])
    assert len(messages) == 3
    assert max(map(len, messages)) < contract.MAX_MESSAGE_BYTES


def _length(value: int) -> bytes:
    return to_varint(value)


def test_a_pod_that_cannot_be_sent_does_not_delay_others() -> None:
    volume = Volume(name="v", secret=SecretVolumeSource(secret_name="s", default_mode=1 << 40))
    poison = Pod(metadata=ObjectMeta(name="bad", uid="bad"), spec=PodSpec(node_name=NODES[0], volumes=(volume,)))
    view = View("10.244.0.0/16", "10.96.0.0/16")
    view.load(1, [(kinds.POD, poison), (kinds.POD, pod("good", 0, on=NODES[0]))])
    (message,) = view.snapshot(NODES[0])
    sent = session_pb2.DesiredMessage.FromString(message).cut
    assert [each.uid for each in sent.pods] == [f"uid-good-{NODES[0]}"]
    view.apply(2, [Change(kinds.POD, "DELETED", poison)])


class Damaged:
    """The change of an object that cannot be decoded."""

    kind = kinds.POD
    type = "DELETED"

    @property
    def obj(self) -> Any:
        raise Unreadable("pods default/damaged cannot be read")


def test_an_object_that_cannot_be_read_costs_no_other_change_of_its_commit() -> None:
    view = View("10.244.0.0/16", "10.96.0.0/16")
    web = pod("web", 0, on="node-0")
    view.apply(1, [Damaged(), Change(kinds.POD, "ADDED", web)])
    assert view.lookup("node-0", Key(Section.POD, "", web.metadata.uid)) is not None
