"""The /24 subnet of a lab, and the addresses in it.

A subnet must not overlap with that of another lab or with the machine's addresses and routes. A caller that chooses a
subnet records it in the lab's state before it releases the lock of the choice.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network

from hull.lockfile import exclusive
from lab.errors import LabError, Unusable
from lab.layout import CACHE_ROOT, LABS_ROOT, Layout
from lab.state import StateFile
from netstack.network import open_network

POOLS = (IPv4Network("10.77.0.0/16"), IPv4Network("198.18.0.0/16"))
"""The second is part of RFC 2544's range for benchmarks; machines that route all of 10.0.0.0/8 need it."""

_BRIDGE, _FIRST_HOST, _ROOT_LEG = 1, 10, 254
MOST_HOSTS = _ROOT_LEG - _FIRST_HOST


def bridge_address(subnet: IPv4Network) -> IPv4Address:
    """The address of the underlay's bridge, on which the registry listens."""
    return subnet[_BRIDGE]


def root_address(subnet: IPv4Network) -> IPv4Address:
    """The address of the root namespace on the underlay: the cluster sees it as the source of outside traffic."""
    return subnet[_ROOT_LEG]


def host_address(subnet: IPv4Network, index: int) -> IPv4Address:
    """The address of a host; the master has index 0."""
    return subnet[_FIRST_HOST + index]


@contextmanager
def choosing() -> Iterator[IPv4Network]:
    """A free subnet; other processes wait with their choice until the context ends. Raises Unusable."""
    with exclusive(CACHE_ROOT / "locks" / "subnets.lock"):
        yield first_free([*_of_labs(), *_of_machine()])


def first_free(taken: Iterable[IPv4Network]) -> IPv4Network:
    """The first /24 of the pools that overlaps none of these; default routes do not count. Raises Unusable."""
    used = [network for network in taken if network.prefixlen > 0]
    for candidate in (subnet for pool in POOLS for subnet in pool.subnets(new_prefix=24)):
        if not any(candidate.overlaps(network) for network in used):
            return candidate
    raise Unusable(
        f"every /24 of {' and '.join(map(str, POOLS))} overlaps with an address or route of this machine "
        "(`ip route` shows them) or with another lab (`sampan lab list`; `sampan down --lab NAME` removes one)"
    )


def _of_labs() -> Iterator[IPv4Network]:
    for path in LABS_ROOT.glob("*/lab.json"):
        try:
            yield StateFile(Layout(path.parent.name)).load().subnet
        except LabError:
            continue  # being removed, or unreadable: the machine's addresses include those of its links


def _of_machine() -> Iterator[IPv4Network]:
    with open_network() as network:
        yield from (address.interface.network for address in network.addresses())
        yield from (route.destination for route in network.routes(protocol=0))
