"""Changes that are sent in bulk have the same effect as those of the ordinary network, which reads them back."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from netstack import bulk, namespaces, sysctl
from netstack import changes as c
from netstack.errors import AlreadyThere, NamespaceExists, NotThere
from netstack.network import open_network
from netstack.state import Address, Route

Make = Callable[[], str]
UPLINK = Address("eth0", IPv4Interface("10.0.0.1/24"))
DEFAULT = Route(c.DEFAULT, "eth0", IPv4Address("10.0.0.254"))
ONLINK = Route(IPv4Network("10.9.0.0/16"), "eth0", IPv4Address("10.7.0.1"), onlink=True)


def test_links_addresses_and_routes_equal_those_of_pyroute2(new_namespace: Make) -> None:
    switch, host = new_namespace(), new_namespace()
    bulk.apply(
        [
            bulk.Batch(
                switch,
                (
                    c.AddBridge("br0"),
                    c.AddVeth("port", "eth0", host, mtu=1400, mac="02:00:00:00:00:01", peer_mac="02:00:00:00:00:02"),
                    c.SetLink("port", master="br0"),
                ),
            ),
            bulk.Batch(
                host,
                (c.SetLink("eth0", up=True), c.SetAddress(UPLINK), c.SetRoute(DEFAULT), c.SetRoute(ONLINK)),
                {"net/ipv4/ip_forward": "1"},
            ),
        ]
    )
    with open_network(switch) as ports, open_network(host) as inside:
        port, eth0 = ports.link("port"), inside.link("eth0")
        assert port is not None
        assert eth0 is not None
        assert (port.master, port.mtu, port.mac, port.up, port.kind) == ("br0", 1400, "02:00:00:00:00:01", True, "veth")
        assert (eth0.mtu, eth0.mac, eth0.up) == (1400, "02:00:00:00:00:02", True)
        assert UPLINK in inside.addresses()
        assert set(inside.routes()) == {DEFAULT, ONLINK}
    assert sysctl.read(host, "net/ipv4/ip_forward") == "1"


def test_deleting_what_does_not_exist_succeeds(new_namespace: Make) -> None:
    where = new_namespace()
    bulk.apply([bulk.Batch(where, (c.AddBridge("eth0"), c.SetAddress(UPLINK), c.SetRoute(DEFAULT)))])
    deletions = (c.DeleteRoute(DEFAULT), c.DeleteAddress(UPLINK), c.DeleteRateLimit("eth0"))
    for _ in range(2):
        bulk.apply([bulk.Batch(where, deletions)])
    with open_network(where) as network:
        assert network.routes() == ()
        assert UPLINK not in network.addresses()
    bulk.apply([bulk.Batch(where, (c.DeleteLink("eth0"),))])


def test_a_refusal_names_the_change(new_namespace: Make) -> None:
    where = new_namespace()
    with pytest.raises(AlreadyThere, match="AddBridge"):
        bulk.apply([bulk.Batch(where, (c.AddBridge("br0"), c.AddBridge("br0")))])
    with pytest.raises(NotThere, match="eth7"):
        bulk.apply([bulk.Batch(where, (c.SetLink("eth7", up=True),))])


def test_more_changes_than_fit_into_one_packet(new_namespace: Make) -> None:
    where = new_namespace()
    addresses = {Address("lo", IPv4Interface((UPLINK.interface.ip + number, 32))) for number in range(250)}
    bulk.apply([bulk.Batch(where, tuple(map(c.SetAddress, addresses)))])
    with open_network(where) as network:
        assert addresses <= set(network.addresses())


def test_all_namespaces_are_created_or_none(new_namespace: Make) -> None:
    existing = new_namespace()
    names = (f"{existing}-x", f"{existing}-y")
    with pytest.raises(NamespaceExists):
        namespaces.create_all([*names, existing])
    assert not set(names) & set(namespaces.names())
    assert existing in namespaces.names()
