"""The underlay: a bridge in a namespace of its own with a port for each host and a link to the root namespace.

The bridge is not in the root namespace, where the machine's firewall and bridge netfilter would drop its packets. Hosts
have no default route, so nothing leaves the lab. All functions can be repeated after an interruption.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

from lab.layout import Layout
from lab.network import subnets, wire_faults
from lab.network.wire_faults import HOST_LINK
from lab.state import HostState, LabState
from lab.wire import Wire
from netstack import bulk, namespaces
from netstack import changes as c
from netstack.errors import NamespaceExists
from netstack.network import open_network
from netstack.state import Address

BRIDGE: Final = "underlay"
_LEG: Final = "outside"


def create(layout: Layout, state: LabState) -> None:
    """Make the missing ones of: namespaces, bridge, ports, link to the root namespace."""
    subnet = state.subnet
    _ensure_namespace(layout.underlay_name)
    with open_network(layout.underlay_name) as underlay:
        present = {link.name for link in underlay.links()}
        if BRIDGE not in present:
            # By default a bridge has the lowest MAC of its ports, and changes it when that port is deleted. Then the
            # neighbour entries for the registry, which is at the bridge's address, are wrong for several seconds.
            mac = _mac(subnets.bridge_address(subnet))
            underlay.change([c.AddBridge(BRIDGE), c.SetLink(BRIDGE, mac=mac)])
        underlay.change([_address(BRIDGE, IPv4Interface((subnets.bridge_address(subnet), subnet.prefixlen)))])
    _attach_root(layout, subnet, exists=_LEG in present)
    create_hosts(layout, subnet, state.hosts)
    if any(host.wire.filters for host in state.hosts):
        wire_faults.apply_rules(layout, state)


def create_hosts(layout: Layout, subnet: IPv4Network, hosts: Iterable[HostState]) -> None:
    """Make the missing namespaces and cables of these hosts; the underlay must exist."""
    hosts = list(hosts)
    for host in hosts:
        _ensure_namespace(layout.netns_name(host.name))
    with open_network(layout.underlay_name) as underlay:
        present = {link.name for link in underlay.links()}
        for host in hosts:
            if host.name not in present:
                peer = layout.netns_name(host.name)
                mac = _mac(host.address)
                underlay.change([c.AddVeth(host.name, HOST_LINK, peer_namespace=peer, peer_mac=mac, up=False)])
            # Also for an existing port: its command may have been interrupted before it was connected.
            underlay.change([c.SetLink(host.name, master=BRIDGE, up=not host.cut)])
    for host in hosts:
        _configure_host(layout, host, subnet)
        if host.wire != Wire():
            wire_faults.apply_quality(layout, host)
    _settle(layout, [host.name for host in hosts])


def plug(layout: Layout, host: str, *, connected: bool) -> None:
    """Connect or unplug a host's cable: the bridge's port goes up or down, and the host gains or loses its carrier."""
    with open_network(layout.underlay_name) as underlay:
        underlay.change([c.SetLink(host, up=connected)])
    if connected:
        _settle(layout, [host])


def remove_host(layout: Layout, host: str) -> None:
    """Remove a host's namespace and cable; `create_hosts` makes them again.

    The port is removed first. Otherwise the kernel would remove it some time after the namespace, when a new port of
    the same name may already exist.
    """
    with open_network(layout.underlay_name) as underlay:
        underlay.change([c.DeleteLink(host)])
    namespaces.delete(layout.netns_name(host))


def remove(layout: Layout) -> None:
    """Remove the link in the root namespace, and all namespaces of the lab, by name."""
    with open_network() as root:
        root.change([c.DeleteLink(layout.root_link)])
    for path in layout.netns_paths():
        namespaces.delete(path.name)


def leftovers(layout: Layout) -> Iterable[str]:
    """The parts of the underlay that exist, for people."""
    yield from (f"network namespace {path.name}" for path in layout.netns_paths())
    with open_network() as root:
        if root.link(layout.root_link) is not None:
            yield f"link {layout.root_link}"


def _ensure_namespace(name: str) -> None:
    try:
        namespaces.create(name)
    except NamespaceExists:
        if not _is_namespace(name):
            namespaces.delete(name)  # an empty file: the command that created it was interrupted
            namespaces.create(name)


def _is_namespace(name: str) -> bool:
    """A namespace's file is a mount of nsfs; an empty file is on the file system of the directory."""
    return namespaces.identity(name)[0] != namespaces.RUN_DIR.stat().st_dev


def _attach_root(layout: Layout, subnet: IPv4Network, *, exists: bool) -> None:
    """One veth pair: `outside` on the bridge, `layout.root_link` in the root namespace."""
    with open_network() as root:
        if not exists:
            root.change([c.AddVeth(layout.root_link, _LEG, peer_namespace=layout.underlay_name)])
        root.change(
            [
                c.SetLink(layout.root_link, up=True),
                _address(layout.root_link, IPv4Interface((subnets.root_address(subnet), subnet.prefixlen))),
            ]
        )
    with open_network(layout.underlay_name) as underlay:
        underlay.change([c.SetLink(_LEG, master=BRIDGE, up=True)])


def _configure_host(layout: Layout, host: HostState, subnet: IPv4Network) -> None:
    with open_network(layout.netns_name(host.name)) as network:
        network.change(
            [
                c.SetLink(HOST_LINK, up=True),
                _address(HOST_LINK, IPv4Interface((host.address, subnet.prefixlen))),
            ]
        )


def _settle(layout: Layout, hosts: Iterable[str]) -> None:
    """Make these cables usable at once. After both ends are up, the kernel may take a second by itself."""
    hosts = list(hosts)
    ends = [bulk.Batch(layout.netns_name(host), (bulk.SettleLink(HOST_LINK),)) for host in hosts]
    bulk.apply([*ends, bulk.Batch(layout.underlay_name, tuple(bulk.SettleLink(host) for host in hosts))])


def _mac(address: IPv4Address) -> str:
    """Derived from the address, so that the neighbour entries of other hosts stay valid when the link is made again."""
    return ":".join(["02", "00", *(f"{byte:02x}" for byte in address.packed)])


def _address(link: str, interface: IPv4Interface) -> c.SetAddress:
    return c.SetAddress(Address(link, interface))
