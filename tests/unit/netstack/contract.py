"""The contract of every kernel, fake or real. The tests are here; subclasses provide the `host` fixture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from netstack import changes as c
from netstack.desired import Endpoint, HostPort, NetworkState, NodeSettings, Peer, ServicePort
from netstack.errors import (
    AlreadyThere,
    HostNamespace,
    KernelRefused,
    NamespaceMissing,
    NotThere,
    RulesRefused,
)
from netstack.kernel import Kernel
from netstack.node import NodeNetwork
from netstack.pods import host_link_name
from netstack.state import Address, Forwarding, Neighbour, Route

NODE_ADDRESS = IPv4Interface("172.30.0.11/24")
PEER = Peer("b", IPv4Address("172.30.0.12"), IPv4Network("10.244.2.0/24"))
SERVICE = ServicePort(
    "default/web:http", "TCP", IPv4Address("10.96.0.10"), 80, 31002, (Endpoint(IPv4Address("10.244.2.7"), 8080),)
)
STATE = NetworkState((PEER,), (SERVICE,))
MAC = "0a:58:0a:f4:02:00"


@dataclass
class Host:
    """One host: `open` returns its kernel, `namespace` creates an empty namespace and returns its name.

    `own` is the name of the host's own namespace.
    """

    open: Callable[[], Kernel]
    namespace: Callable[[], str]
    settings: NodeSettings
    own: str

    def node(self) -> NodeNetwork:
        return NodeNetwork(self.settings, self.open())


def settings(directory: Path) -> NodeSettings:
    return NodeSettings(
        node_name="a",
        node_address=NODE_ADDRESS.ip,
        pod_cidr=IPv4Network("10.244.1.0/24"),
        cluster_cidr=IPv4Network("10.244.0.0/16"),
        service_cidr=IPv4Network("10.96.0.0/16"),
        state_dir=directory,
    )


def underlay() -> list[c.Change]:
    """Changes that create the host's own interface."""
    return [
        c.AddVeth("eth0", "cable", mtu=1500),
        c.SetLink("cable", up=True),
        c.SetAddress(Address("eth0", NODE_ADDRESS)),
    ]


class NetworkContract:
    """Links, addresses, routes and neighbour entries."""

    def test_a_link_is_made_once(self, host: Host) -> None:
        kernel = host.open()
        with pytest.raises(AlreadyThere):
            kernel.host.change([c.AddBridge("br0"), c.AddBridge("br0")])
        assert kernel.host.link("br0") is not None
        kernel.close()

    def test_deleting_what_does_not_exist_succeeds_but_setting_it_fails(self, host: Host) -> None:
        kernel = host.open()
        kernel.host.change([c.DeleteLink("nothing"), c.DeleteRoute(Route(PEER.pod_cidr, "eth0"))])
        with pytest.raises(NotThere):
            kernel.host.change([c.SetLink("nothing", up=True)])
        with pytest.raises(NamespaceMissing):
            kernel.open_network("kt-nowhere")
        kernel.close()

    def test_each_namespace_has_its_own_parameters(self, host: Host) -> None:
        kernel, where, other = host.open(), host.namespace(), host.namespace()
        values = {"net/ipv4/tcp_mtu_probing": "1"}
        assert kernel.write_sysctls(values, where) == tuple(values)
        assert kernel.write_sysctls(values, where) == ()
        assert kernel.write_sysctls(values, other) == tuple(values)
        with pytest.raises(NamespaceMissing):
            kernel.write_sysctls(values, "kt-nowhere")
        kernel.close()

    def test_a_link_has_its_own_parameters(self, host: Host) -> None:
        kernel = host.open()
        values = {"net/ipv6/conf/v0/disable_ipv6": "1"}
        with pytest.raises(NotThere):
            kernel.write_sysctls(values)
        for _ in range(2):
            kernel.host.change([c.AddVeth("v0", "v1", up=False)])
            assert kernel.write_sysctls(values) == tuple(values)
            assert kernel.write_sysctls(values) == ()
            kernel.host.change([c.DeleteLink("v0")])
        kernel.close()

    def test_the_namespace_of_the_host_is_refused_where_one_of_a_pod_is_needed(self, host: Host) -> None:
        kernel = host.open()
        with pytest.raises(HostNamespace):
            kernel.open_network(host.own)
        with pytest.raises(HostNamespace):
            kernel.identity(host.own)
        with pytest.raises(HostNamespace):
            kernel.write_sysctls({"net/ipv4/tcp_mtu_probing": "1"}, host.own)
        with pytest.raises(HostNamespace), kernel.pinned(host.own):
            pytest.fail("the block must not be entered")
        kernel.close()

    def test_a_pinned_path_leads_to_the_same_namespace(self, host: Host) -> None:
        kernel, where = host.open(), host.namespace()
        with kernel.pinned(where) as path:
            assert kernel.identity(path) == kernel.identity(where)
            kernel.host.change([c.AddVeth("v0", "eth0", path)])
        inside = kernel.open_network(where)
        assert inside.link("eth0") is not None
        inside.close()
        kernel.close()

    def test_a_peer_is_created_in_its_namespace_and_goes_with_the_other_end(self, host: Host) -> None:
        kernel, where = host.open(), host.namespace()
        kernel.host.change([c.AddVeth("v0", "eth0", where, mtu=1400, mac=MAC, peer_mac="0a:58:00:00:00:01")])
        inside = kernel.open_network(where)
        end, peer = kernel.host.link("v0"), inside.link("eth0")
        assert end is not None and (end.mac, end.mtu, end.up) == (MAC, 1400, True)
        assert peer is not None and (peer.mac, peer.mtu, peer.up) == ("0a:58:00:00:00:01", 1400, False)
        inside.change([c.DeleteLink("eth0")])
        assert kernel.host.link("v0") is None
        inside.close()
        kernel.close()

    def test_entries_are_read_as_they_were_written_and_go_with_their_link(self, host: Host) -> None:
        kernel = host.open()
        address = Address("v0", IPv4Interface("10.1.0.1/24"))
        neighbour = Neighbour("v0", IPv4Address("10.1.0.7"), MAC)
        route = Route(IPv4Network("10.9.0.0/16"), "v0", gateway=IPv4Address("10.1.0.7"))
        kernel.host.change(
            [
                c.AddVeth("v0", "v1"),
                c.SetLink("v1", up=True),
                c.SetAddress(address),
                c.SetNeighbour(neighbour),
                c.SetRoute(route),
            ]
        )
        snapshot = kernel.host.snapshot()
        assert address in snapshot.addresses
        assert neighbour in snapshot.neighbours
        assert snapshot.routes == (route,)
        kernel.host.change([c.DeleteLink("v0")])
        snapshot = kernel.host.snapshot()
        assert address not in snapshot.addresses
        assert neighbour not in snapshot.neighbours
        assert snapshot.routes == ()
        kernel.close()

    def test_setting_replaces(self, host: Host) -> None:
        kernel = host.open()
        vtep = c.AddVxlan("vx", 7, NODE_ADDRESS.ip, 4789, MAC, 1450)
        first, second = IPv4Address("172.30.0.12"), IPv4Address("172.30.0.13")
        target = IPv4Network("10.9.0.0/16")
        kernel.host.change([vtep])
        for gateway in (first, second):
            route = Route(target, "vx", gateway=gateway, onlink=True)
            kernel.host.change([c.SetForwarding(Forwarding("vx", MAC, gateway)), c.SetRoute(route)])
        assert [entry.destination for entry in kernel.host.forwardings() if entry.mac == MAC] == [second]
        assert [route.gateway for route in kernel.host.routes()] == [second]
        kernel.close()

    @pytest.mark.parametrize(
        "route",
        [
            Route(IPv4Network("10.9.0.0/16"), "eth0", gateway=IPv4Address("192.0.2.1")),
            Route(IPv4Network("10.9.0.0/16"), "eth0", source=IPv4Address("192.0.2.1")),
            Route(IPv4Network("10.9.0.0/16"), "idle"),
        ],
        ids=["gateway out of reach", "foreign source", "link down"],
    )
    def test_impossible_routes_are_refused(self, host: Host, route: Route) -> None:
        kernel = host.open()
        kernel.host.change([*underlay(), c.AddBridge("idle", up=False)])
        with pytest.raises(KernelRefused):
            kernel.host.change([c.SetRoute(route)])
        kernel.close()

    def test_a_link_that_goes_down_loses_its_routes(self, host: Host) -> None:
        kernel = host.open()
        kernel.host.change([c.AddBridge("br0"), c.SetRoute(Route(IPv4Network("10.9.0.0/16"), "br0"))])
        kernel.host.change([c.SetLink("br0", up=False)])
        assert kernel.host.routes() == ()
        kernel.close()


class RulesContract:
    """iptables."""

    def test_a_table_is_applied_as_a_whole_or_not_at_all(self, host: Host) -> None:
        kernel = host.open()
        tool = kernel.rule_tool("T-")
        with pytest.raises(RulesRefused):
            tool.restore("*filter\n:T-A - [0:0]\n-A T-A -j T-NOWHERE\nCOMMIT\n")
        assert "T-A" not in tool.save()
        tool.restore("*filter\n:T-A - [0:0]\n-A T-A -s 10.0.0.0/8 -j ACCEPT\n-I FORWARD 1 -j T-A\nCOMMIT\n")
        assert "-A FORWARD -j T-A" in tool.save().splitlines()
        with pytest.raises(RulesRefused):
            tool.restore("*filter\n:T-A - [0:0]\n-X T-A\nCOMMIT\n")
        assert "-A T-A -s 10.0.0.0/8 -j ACCEPT" in tool.save().splitlines()
        tool.restore("*filter\n:T-A - [0:0]\n-D FORWARD -j T-A\n-X T-A\nCOMMIT\n")
        assert "T-A" not in tool.save()
        kernel.close()


class NodeContract:
    """NodeNetwork over this kernel."""

    @pytest.fixture
    def node(self, host: Host) -> NodeNetwork:
        kernel = host.open()
        kernel.host.change(underlay())
        kernel.close()
        return host.node()

    def test_an_applied_state_needs_no_repair_and_is_adopted(self, host: Host, node: NodeNetwork) -> None:
        node.apply(STATE)
        assert node.audit() == ()
        node.close()
        fresh = host.node()
        fresh.apply(STATE)
        assert fresh.audit() == ()
        fresh.close()

    def test_a_pod_probes_the_mtu_when_segments_vanish(self, host: Host, node: NodeNetwork) -> None:
        where = host.namespace()
        node.attach_namespace("uid-1", where)
        kernel = host.open()
        assert kernel.write_sysctls({"net/ipv4/tcp_mtu_probing": "1"}, where) == ()
        kernel.close()

    def test_a_pod_keeps_its_address_until_it_is_released(self, host: Host, node: NodeNetwork) -> None:
        where = host.namespace()
        address = node.attach_namespace("uid-1", where)
        assert node.attach_namespace("uid-1", where) == address
        node.close()
        again = host.node()
        assert again.pods() == {"uid-1": address}
        assert again.attach_namespace("uid-1", where) == address
        again.detach_pod("uid-1")
        assert again.pods() == {"uid-1": address}
        again.release_pod("uid-1")
        assert again.pods() == {}
        again.close()

    def test_retain_removes_what_no_pod_owns(self, host: Host, node: NodeNetwork) -> None:
        node.attach_namespace("dead", host.namespace())
        node.attach_namespace("alive", host.namespace())
        assert node.retain({"alive"}) == ("dead",)
        assert set(node.pods()) == {"alive"}
        node.close()

    @pytest.mark.parametrize(
        "damage",
        [
            [c.DeleteLink("sampan.vxlan")],
            [c.SetLink("sampan.vxlan", up=False)],
            [c.DeleteRoute(Route(PEER.pod_cidr, "sampan.vxlan"))],
            [c.DeleteNeighbour(Neighbour("sampan.vxlan", PEER.pod_cidr.network_address, MAC))],
            [c.DeleteForwarding(Forwarding("sampan.vxlan", MAC, PEER.address))],
            [c.SetForwarding(Forwarding("sampan.vxlan", MAC, IPv4Address("172.30.0.99")))],
            [c.SetForwarding(Forwarding("sampan.vxlan", "0a:58:00:00:00:09", PEER.address))],
            [c.DeleteLink(host_link_name("uid-1"))],
            [c.SetLink(host_link_name("uid-1"), up=False)],
        ],
        ids=str,
    )
    def test_damage_is_found_repaired_and_reported(self, host: Host, node: NodeNetwork, damage: list[c.Change]) -> None:
        node.apply(STATE)
        node.attach_namespace("uid-1", host.namespace())
        kernel = host.open()
        before = _picture(kernel)
        kernel.host.change(damage)
        assert _picture(kernel) != before
        assert node.audit() != ()
        assert _picture(kernel) == before
        assert node.audit() == ()
        kernel.close()
        node.close()

    def test_a_pod_whose_namespace_is_gone_gets_no_address(self, host: Host, node: NodeNetwork) -> None:
        node.apply(STATE)
        with pytest.raises(NamespaceMissing):
            node.attach_namespace("uid-1", "kt-nowhere")
        assert node.pods() == {}
        node.close()

    def test_a_pod_is_not_connected_in_the_namespace_of_its_host(self, host: Host, node: NodeNetwork) -> None:
        """The pid of a sandbox that has ended may belong to a process of the host."""
        node.apply(STATE)
        kernel = host.open()
        before = kernel.host.links()
        with pytest.raises(HostNamespace):
            node.attach_namespace("uid-1", host.own)
        assert node.pods() == {}
        assert kernel.host.links() == before
        kernel.close()
        node.close()

    def test_the_ends_of_the_node_have_no_ipv6(self, host: Host, node: NodeNetwork) -> None:
        """Not even on links that an earlier release left, or that a person has changed."""
        node.apply(STATE)
        node.attach_namespace("uid-1", host.namespace())
        kernel = host.open()
        for link in (host_link_name("uid-1"), "sampan.vxlan"):
            off, on = (
                {f"net/ipv6/conf/{link}/accept_ra": ra, f"net/ipv6/conf/{link}/disable_ipv6": disabled}
                for ra, disabled in (("0", "1"), ("1", "0"))
            )
            assert kernel.write_sysctls(off) == ()
            kernel.write_sysctls(on)
            (repair,) = node.audit()
            assert "IPv6" in repair.detail
            assert kernel.write_sysctls(off) == ()
            assert node.audit() == ()
        kernel.close()
        node.close()

    def test_host_ports_come_and_go_with_their_pod(self, host: Host, node: NodeNetwork) -> None:
        node.apply(STATE)
        kernel = host.open()
        tool = kernel.rule_tool("SAMPAN-")
        before = _rules(tool.save())
        ports = [HostPort("default/web", protocol, 80, 8080) for protocol in ("tcp", "udp")]
        address = node.attach_namespace("uid-1", host.namespace(), ports)
        assert tool.save().count(f"-j DNAT --to-destination {address}:8080") == 2
        assert node.audit() == ()
        node.close()
        again = host.node()
        again.apply(STATE)
        assert again.audit() == ()
        again.detach_pod("uid-1")
        assert _rules(tool.save()) == before
        assert again.audit() == ()
        kernel.close()
        again.close()

    def test_rules_are_repaired_and_teardown_leaves_none(self, host: Host, node: NodeNetwork) -> None:
        node.apply(STATE)
        kernel = host.open()
        tool = kernel.rule_tool("SAMPAN-")
        saved = tool.save()
        tool.restore("*nat\n:SAMPAN-SERVICES - [0:0]\nCOMMIT\n")
        (repair,) = node.audit()
        assert repair.what == "rules"
        assert "SAMPAN-SERVICES" in repair.detail
        assert _rules(tool.save()) == _rules(saved)
        node.teardown()
        assert "SAMPAN" not in tool.save()
        assert {link.name for link in kernel.host.links()} == {"lo", "eth0", "cable"}
        assert kernel.host.routes() == ()
        kernel.close()
        node.close()

    def test_removed_peers_and_services_leave_nothing(self, host: Host, node: NodeNetwork) -> None:
        node.apply(STATE)
        node.apply(NetworkState())
        kernel = host.open()
        assert all(entry.link != "sampan.vxlan" for entry in kernel.host.forwardings())
        assert [route.destination for route in kernel.host.routes()] == [host.settings.service_cidr]
        assert "web" not in kernel.rule_tool("SAMPAN-").save()
        kernel.close()
        node.close()


def _rules(saved: str) -> list[str]:
    return [line for line in saved.splitlines() if line.startswith("-A")]


def _picture(kernel: Kernel) -> tuple[object, ...]:
    snapshot = kernel.host.snapshot()
    names = {"sampan.vxlan", host_link_name("uid-1")}
    links = {(link.name, link.mac, link.mtu, link.up) for link in snapshot.links if link.name in names}
    neighbours = {entry for entry in snapshot.neighbours if entry.link in names and entry.permanent}
    forwardings = {entry for entry in snapshot.forwardings if entry.link in names}
    return links, set(snapshot.routes), neighbours, forwardings
