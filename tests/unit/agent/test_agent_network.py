"""The schedule of audits: rules every period, links after an event, after a failure, and periodically."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from agent import model
from agent.model import PodUid
from agent.network import DEBOUNCE_S, LINKS_AUDIT_S, AgentNetwork, NetworkFault
from netstack.desired import LONGEST_NAME, HostPort, NetworkState, NodeSettings, PublishedPort, Repair, ServicePort
from netstack.errors import RulesBusy
from tests.fakes.sessions import until

pytestmark = pytest.mark.timeout(20)

SETTINGS = NodeSettings(
    node_name="a",
    node_address=IPv4Address("10.0.0.1"),
    pod_cidr=IPv4Network("10.244.1.0/24"),
    cluster_cidr=IPv4Network("10.244.0.0/16"),
    service_cidr=IPv4Network("10.96.0.0/16"),
    state_dir=Path("/nowhere"),
)


class Clock:
    """Stands still unless the test moves it; sleeps return at once."""

    now = 0.0

    def __init__(self) -> None:
        self.slept: list[float] = []

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


class Audited:
    """A fake of netstack's NodeNetwork that records audits."""

    def __init__(self) -> None:
        self.audits: list[bool] = []
        self.failure: Exception | None = None

    def audit(self, *, links: bool = True) -> tuple[Repair, ...]:
        self.audits.append(links)
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        return ()

    def apply(self, state: NetworkState) -> None: ...
    def attach_pod(self, pod_uid: str, netns_pid: int, ports: Sequence[HostPort] = ()) -> IPv4Address:
        return IPv4Address("10.244.1.2")

    def detach_pod(self, pod_uid: str) -> None: ...
    def release_pod(self, pod_uid: str) -> None: ...
    def retain(self, pod_uids: Iterable[str]) -> object: ...
    def teardown(self) -> None: ...
    def close(self) -> None: ...


class Events:
    """A DriftMonitor or RulesMonitor on a pipe."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()

    def happen(self) -> None:
        os.write(self._in, b"!")

    def fileno(self) -> int:
        return self._out

    def drain(self) -> bool:
        return os.read(self._out, 100) != b""

    def close(self) -> None:
        os.close(self._out)
        os.close(self._in)


class Bench:
    def __init__(self, *, audit_s: float = 0.01) -> None:
        self.network, self.events, self.clock = Audited(), Events(), Clock()
        self.rules = Events()
        self.health: list[str] = []
        self.served: list[tuple[tuple[ServicePort, ...], tuple[PublishedPort, ...]]] = []
        self.agent = AgentNetwork(
            lambda settings: self.network,
            clock=self.clock,
            audit_s=audit_s,
            on_repairs=lambda repairs: None,
            on_health=self.health.append,
            relay=self,
            monitor=lambda: self.events,
            rules_monitor=lambda: self.rules,
        )

    def serve(self, services: Iterable[ServicePort], host_ports: Iterable[PublishedPort]) -> None:
        self.served.append((tuple(services), tuple(host_ports)))

    async def next_audits(self, number: int) -> list[bool]:
        """The `links` arguments of the next audits."""
        self.network.audits.clear()
        await until(lambda: len(self.network.audits) >= number)
        return self.network.audits[:number]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.agent.configure(SETTINGS)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.agent.run())
            try:
                yield
            finally:
                task.cancel()
        await self.agent.aclose()


async def test_links_are_audited_first_then_after_events_and_periodically() -> None:
    bench = Bench()
    async with bench.running():
        assert await bench.next_audits(4) == [True, False, False, False]
        bench.events.happen()
        await until(lambda: True in bench.network.audits[4:])
        assert True not in await bench.next_audits(3)
        bench.clock.now += LINKS_AUDIT_S
        await until(lambda: bench.network.audits[-1])
        assert True not in (await bench.next_audits(4))[1:]


@pytest.mark.parametrize("failure", [RulesBusy("the lock is held"), ValueError("a bug")], ids=["busy", "bug"])
async def test_after_a_failure_everything_is_audited_again(failure: Exception) -> None:
    bench = Bench()
    async with bench.running():
        await bench.next_audits(3)
        bench.network.failure = failure
        await until(lambda: bench.health[-1])
        assert str(failure) in bench.health[-1]
        await until(lambda: not bench.health[-1])
        assert True in bench.network.audits[-3:]


async def test_an_event_about_rules_causes_an_audit_of_rules_only() -> None:
    bench = Bench(audit_s=60.0)
    async with bench.running():
        bench.events.happen()
        await until(lambda: bench.network.audits == [True])
        for number in range(2, 5):
            bench.rules.happen()
            await until(lambda number=number: len(bench.network.audits) == number)
        bench.rules.happen()
        bench.events.happen()
        await until(lambda: len(bench.network.audits) >= 5)
        assert bench.network.audits == [True, False, False, False, True]


async def test_without_events_about_rules_they_are_audited_periodically() -> None:
    def none() -> Events:
        raise OSError("Protocol not supported")

    bench = Bench()
    bench.agent._make_rules_monitor = none
    async with bench.running():
        assert (await bench.next_audits(4))[1:] == [False, False, False]


@pytest.mark.parametrize(("took_s", "pause_s"), [(0.0, DEBOUNCE_S), (0.01, DEBOUNCE_S), (0.2, 2.0)])
async def test_a_long_audit_delays_the_next_one_for_rules(took_s: float, pause_s: float) -> None:
    bench = Bench(audit_s=60.0)

    def audit(*, links: bool = True) -> tuple[Repair, ...]:
        bench.clock.now += took_s
        return ()

    bench.network.audit = audit  # type: ignore[method-assign]
    async with bench.running():
        bench.events.happen()
        await until(lambda: len(bench.health) == 1)
        bench.rules.happen()
        await until(lambda: len(bench.health) == 2)
        assert bench.clock.slept[-1] == pytest.approx(pause_s)


async def test_the_relay_gets_node_ports_and_the_host_ports_of_attached_pods() -> None:
    bench, uid = Bench(), PodUid("uid-1")
    service = ServicePort("default/web", "tcp", IPv4Address("10.96.0.10"), 80, 30080)
    wanted = (model.HostPort("default/web", "TCP", 80, 8080, "192.0.2.1"),)
    port = PublishedPort(HostPort("default/web", "tcp", 80, 8080, IPv4Address("192.0.2.1")), IPv4Address("10.244.1.2"))
    async with bench.running():
        await bench.agent.apply(NetworkState(services=(service,)))
        for _ in range(2):
            await bench.agent.attach(uid, 7, wanted)
        await bench.agent.attach(PodUid("uid-2"), 8)
        await bench.agent.detach(uid)
        await bench.agent.teardown()
    assert bench.served == [((service,), ()), ((service,), (port,)), ((service,), ()), ((), ())]


async def test_a_host_port_that_cannot_exist_fails_its_pod() -> None:
    bench = Bench()
    async with bench.running():
        for port in (
            model.HostPort("default/web", "TCP", 80, 8080, "nowhere"),
            model.HostPort("default/web", "ICMP", 80, 8080),
        ):
            with pytest.raises(NetworkFault, match="host port: "):
                await bench.agent.attach(PodUid("uid-1"), 7, (port,))


async def test_a_pod_with_the_longest_name_has_host_ports() -> None:
    bench, longest = Bench(), f"{'n' * 63}/{'p' * 253}"
    async with bench.running():
        await bench.agent.attach(PodUid("uid-1"), 7, (model.HostPort(longest, "TCP", 80, 8080),))
    ((_, (port,)),) = bench.served
    assert port.host.name == longest[:LONGEST_NAME]
