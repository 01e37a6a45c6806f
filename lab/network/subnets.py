"""Which /24 a lab gets, and which address in it belongs to whom.

The subnet must clash with no other lab and with nothing that the machine routes; whoever chooses one writes it to the
lab's state while holding the choice's lock.
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
"""The second, of RFC 2544's range for test beds, is for machines whose routes take all of 10.0.0.0/8."""

_BRIDGE, _FIRST_HOST, _ROOT_LEG = 1, 10, 254
MOST_HOSTS = _ROOT_LEG - _FIRST_HOST


def bridge_address(subnet: IPv4Network) -> IPv4Address:
    """The underlay's own address, where the registry listens."""
    return subnet[_BRIDGE]


def root_address(subnet: IPv4Network) -> IPv4Address:
    """The root namespace's address on the underlay: what the cluster sees of a visitor from outside."""
    return subnet[_ROOT_LEG]


def host_address(subnet: IPv4Network, index: int) -> IPv4Address:
    """The master is host 0."""
    return subnet[_FIRST_HOST + index]


@contextmanager
def choosing() -> Iterator[IPv4Network]:
    """A free subnet; nobody else chooses while the context lasts."""
    with exclusive(CACHE_ROOT / "locks" / "subnets.lock"):
        yield first_free([*_of_labs(), *_of_machine()])


def first_free(taken: Iterable[IPv4Network]) -> IPv4Network:
    """The first /24 of the pools that overlaps none of these."""
    used = [network for network in taken if network.prefixlen > 0]
    for candidate in (subnet for pool in POOLS for subnet in pool.subnets(new_prefix=24)):
        if not any(candidate.overlaps(network) for network in used):
            return candidate
    raise Unusable(
        f"no /24 of {' or '.join(map(str, POOLS))} is free of this machine's addresses and routes (see `ip route`) and "
        "of other labs (`sampan lab list`; `sampan down --lab NAME` removes one)"
    )


def _of_labs() -> Iterator[IPv4Network]:
    for path in LABS_ROOT.glob("*/lab.json"):
        try:
            yield StateFile(Layout(path.parent.name)).load().subnet
        except LabError:
            continue  # being removed, or unreadable: then its links, if any, still show in the machine's addresses


def _of_machine() -> Iterator[IPv4Network]:
    with open_network() as network:
        yield from (address.interface.network for address in network.addresses())
        yield from (route.destination for route in network.routes(protocol=0))
