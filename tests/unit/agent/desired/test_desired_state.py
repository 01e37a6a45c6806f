"""Desired state: cuts are applied whole, stored without secrets, and converted for the network."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from agent import model
from agent.desired import disk
from agent.desired.state import DesiredState
from agent.wire.errors import Gap
from netstack.desired import Endpoint, Peer
from proto.gen import desired_pb2 as pb
from proto.gen.session_pb2 import Cut


def ref(name: str) -> pb.ObjectRef:
    return pb.ObjectRef(namespace="default", name=name)


def pod(uid: str) -> pb.Pod:
    return pb.Pod(uid=uid, namespace="default", name=uid, containers=[pb.Container(name="app", image="a")])


def snapshot(**items: object) -> Cut:
    return Cut(snapshot=True, revision=5, last=True, **items)  # type: ignore[arg-type]


def test_a_cut_takes_effect_with_its_last_message() -> None:
    state = DesiredState()
    assert not state.receive(Cut(snapshot=True, revision=5, pods=[pod("a")]))
    assert not state.complete
    assert state.ref(model.PodUid("a")) is None
    assert state.receive(Cut(snapshot=True, revision=5, last=True, pods=[pod("b")]))
    assert state.complete
    assert (state.revision, set(state.for_pods().pods)) == (5, {"a", "b"})


def test_a_delta_sets_and_removes() -> None:
    state = DesiredState()
    state.receive(snapshot(pods=[pod("a"), pod("b")], secrets=[pb.Secret(ref=ref("s"))]))
    state.receive(Cut(base_revision=5, revision=8, last=True, removed_pods=["a"], removed_secrets=[ref("s")]))
    assert (state.revision, set(state.for_pods().pods), state.for_pods().secrets) == (8, {"b"}, {})


def test_a_delta_for_another_revision_changes_nothing() -> None:
    state = DesiredState()
    state.receive(snapshot(pods=[pod("a")]))
    with pytest.raises(Gap):
        state.receive(Cut(base_revision=6, revision=8, last=True, removed_pods=["a"]))
    assert (state.revision, set(state.for_pods().pods)) == (5, {"a"})


def test_an_incomplete_cut_is_forgotten_when_its_stream_ends() -> None:
    state = DesiredState()
    state.receive(Cut(snapshot=True, revision=5, pods=[pod("a")]))
    state.interrupted()
    state.receive(Cut(snapshot=True, revision=6, last=True, pods=[pod("b")]))
    assert set(state.for_pods().pods) == {"b"}


def test_an_unchanged_pod_is_the_same_object() -> None:
    state = DesiredState()
    state.receive(snapshot(pods=[pod("a")]))
    before = state.for_pods().pods[model.PodUid("a")]
    state.receive(Cut(base_revision=5, revision=6, last=True, pods=[pod("b")]))
    assert state.for_pods().pods[model.PodUid("a")] is before


@pytest.mark.parametrize("secrets", [False, True])
def test_the_state_is_read_back_from_disk(tmp_path: Path, *, secrets: bool) -> None:
    state = DesiredState()
    state.receive(snapshot(pods=[pod("a")], secrets=[pb.Secret(ref=ref("s"), data={"k": b"hidden"})]))
    disk.write(tmp_path, "cluster", "node-1", state.dump(secrets=secrets))
    content = (tmp_path / disk.NAME).read_bytes()
    assert (b"hidden" in content) is secrets
    assert (tmp_path / disk.NAME).stat().st_mode & 0o777 == 0o600
    kept = disk.read(tmp_path, "cluster", "node-1")
    assert kept is not None
    back = DesiredState()
    back.restore(kept, secrets_known=secrets)
    assert (back.revision, back.complete) == (5, False)
    assert set(back.for_pods().pods) == {"a"}
    assert back.for_pods().secrets_known is secrets


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"sampan-desired-2 cluster\n\xff\xff", id="torn"),
        pytest.param(b"sampan-desired-2 another\n", id="another cluster"),
        pytest.param(b"sampan-desired-9 cluster\n", id="another version"),
    ],
)
def test_an_unreadable_file_is_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / disk.NAME).write_bytes(content)
    assert disk.read(tmp_path, "cluster", "node-1") is None


@pytest.mark.parametrize("harm", ["cut short", "one bit"])
def test_a_damaged_file_that_is_valid_protobuf_is_ignored(
    tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    state = DesiredState()
    state.receive(snapshot(pods=[pod("first"), pod("second")]))
    disk.write(tmp_path, "cluster", "node-1", state.dump(secrets=False))
    path = tmp_path / disk.NAME
    whole = path.read_bytes()
    if harm == "one bit":
        path.write_bytes(whole.replace(b"second", b"secone"))
    else:
        path.write_bytes(whole[: whole.rindex(b"second") - 20])
    assert disk.read(tmp_path, "cluster", "node-1") is None
    assert f"{path}: damaged" in caplog.text


def test_services_and_their_endpoints_become_service_ports() -> None:
    state = DesiredState()
    http = pb.ServicePort(name="http", protocol="TCP", port=80, node_port=31002)
    dns = pb.ServicePort(name="dns", protocol="UDP", port=53)
    subset = pb.EndpointSubset(
        addresses=["10.244.1.3", "10.244.1.2"],
        ports=[pb.EndpointPort(name="http", protocol="TCP", port=8080), pb.EndpointPort(name="dns", port=1)],
    )
    state.receive(
        snapshot(
            node=pb.NodeConfig(
                pod_cidr="10.244.1.0/24",
                cluster_cidr="10.244.0.0/16",
                service_cidr="10.96.0.0/16",
                node_address="10.0.0.1",
            ),
            peers=[pb.Peer(name="b", address="10.0.0.2", pod_cidr="10.244.2.0/24"), pb.Peer(name="bad")],
            services=[
                pb.Service(ref=ref("web"), cluster_ip="10.96.0.9", ports=[http, dns]),
                pb.Service(ref=ref("headless"), ports=[http]),
            ],
            endpoints=[pb.ServiceEndpoints(ref=ref("web"), subsets=[subset])],
        )
    )
    network = state.for_network()
    assert network.peers == (Peer("b", IPv4Address("10.0.0.2"), IPv4Network("10.244.2.0/24")),)
    udp, tcp = network.services
    assert (tcp.name, tcp.protocol, tcp.node_port) == ("default/web:http", "tcp", 31002)
    assert tcp.endpoints == (Endpoint(IPv4Address("10.244.1.2"), 8080), Endpoint(IPv4Address("10.244.1.3"), 8080))
    assert (udp.name, udp.endpoints) == ("default/web:dns", ())
    own = state.network_settings(node_name="a", state_dir=Path("/x"))
    assert own is not None and own.pod_cidr == IPv4Network("10.244.1.0/24")


@pytest.mark.parametrize(
    ("address", "pod_cidr"),
    [
        pytest.param("10.0.0.2", "0.0.0.0/0", id="everything"),
        pytest.param("10.0.0.2", "10.96.0.0/16", id="the services"),
        pytest.param("10.0.0.2", "10.244.1.0/24", id="this node's pods"),
        pytest.param("10.0.0.2", "10.244.0.0/16", id="all pods"),
        pytest.param("10.0.0.1", "10.244.2.0/24", id="this node's address"),
        pytest.param("nowhere", "10.244.2.0/24", id="no address"),
        pytest.param("10.0.0.2", "", id="no pods"),
    ],
)
def test_a_peer_that_would_catch_other_traffic_is_left_out(
    caplog: pytest.LogCaptureFixture, address: str, pod_cidr: str
) -> None:
    own = pb.NodeConfig(
        node_address="10.0.0.1", pod_cidr="10.244.1.0/24", cluster_cidr="10.244.0.0/16", service_cidr="10.96.0.0/16"
    )
    good = pb.Peer(name="node-3", address="10.0.0.3", pod_cidr="10.244.3.0/24")
    state = DesiredState()
    state.receive(snapshot(node=own, peers=[pb.Peer(name="node-2", address=address, pod_cidr=pod_cidr), good]))
    assert [peer.name for peer in state.for_network().peers] == ["node-3"]
    assert "node node-2: left out of the overlay" in caplog.text
