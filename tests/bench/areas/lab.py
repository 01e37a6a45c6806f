"""lab/topology_up_ms, lab/topology_down_ms, lab/topology50_up_ms, lab/probes_per_s, and the figure of cluster_reset.py.

Up is the time from `start` to the first answer across the switch (a refused connection). Down is the time of `close`,
after which no name is left. The floor is the time for bare namespaces without links in the same run. Rounds follow each
other without a pause, as tests do: the kernel dismantles deleted namespaces in the background, under the lock that the
next round's links need.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from netrig.probe import Outcome, Prober, Responder, tcp
from netrig.topology import Topology, naming
from netstack import namespaces
from tests.bench.cluster_reset import cluster_reset
from tests.bench.figure import Figure

ROUNDS = 15
LARGE_ROUNDS = 5
PROBES = 20_000
PROBE_ROUNDS = 5


@dataclass(frozen=True)
class _Times:
    up_s: float
    down_s: float


def measure() -> Iterator[Figure]:
    small, large = _rounds(3, ROUNDS), _rounds(50, LARGE_ROUNDS)
    up, down = (1e3 * median(getattr(times, name) for times in small) for name in ("up_s", "down_s"))
    bare = [_bare(4) for _ in range(ROUNDS)]
    bare_up, bare_down = (1e3 * median(getattr(times, name) for times in bare) for name in ("up_s", "down_s"))
    yield Figure("lab", "topology_up_ms", up, "ms", goal=25.0, floor=bare_up)
    yield Figure("lab", "topology_down_ms", down, "ms", goal=25.0, floor=bare_down)
    yield Figure("lab", "topology50_up_ms", 1e3 * median(times.up_s for times in large), "ms", goal=250.0)
    yield Figure("lab", "probes_per_s", median(_probes()), "1/s", goal=8000.0, at_least=True)
    yield cluster_reset()


def _rounds(hosts: int, rounds: int) -> list[_Times]:
    return [_round(hosts) for _ in range(rounds)]


def _round(hosts: int) -> _Times:
    net = Topology()
    switch = net.switch("switch")
    for number in range(1, hosts + 1):
        net.link(net.host(f"host{number}"), switch, address=f"10.0.0.{number}/24")
    begin = time.perf_counter()
    try:
        net.start()
        prober = Prober(net.nodes()[1].where)
        prober.expect(Outcome.REFUSED, *(tcp(f"10.0.0.{number}", 9) for number in range(2, hosts + 1)))
        up = time.perf_counter()
    finally:
        names = [node.where for node in net.nodes()]
        closing = time.perf_counter()
        net.close()
    down = time.perf_counter()
    assert not set(names) & set(namespaces.names())
    return _Times(up - begin, down - closing)


def _bare(count: int) -> _Times:
    """Namespaces with nothing in them."""
    prefix = naming.NAMES.new()
    names = [f"{prefix}-{number}" for number in range(count)]
    begin = time.perf_counter()
    namespaces.create_all(names)
    up = time.perf_counter()
    for name in names:
        namespaces.delete(name)
    return _Times(up - begin, time.perf_counter() - up)


def _probes() -> list[float]:
    """Connect probes per second through a switch, one value per round."""
    with Topology() as net:
        client, server, switch = net.host("client"), net.host("server"), net.switch("switch")
        net.link(client, switch, address="10.0.0.1/24")
        net.link(server, switch, address="10.0.0.2/24")
        net.start()
        rates = []
        with Responder(server.where, name="server", port=80):
            for _ in range(PROBE_ROUNDS):
                begin = time.perf_counter()
                Prober(client.where).expect(Outcome.REPLY, *[tcp("10.0.0.2", 80)] * PROBES)
                rates.append(PROBES / (time.perf_counter() - begin))
        return rates
