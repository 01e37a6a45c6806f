"""Sessions without gRPC: ids, replacement, periods, stalls."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from master.api.usages import ContainerUsage, NodeUsage, PodUsage
from master.dispatch.errors import Occupied, Stale
from master.dispatch.sessions import Machine, Sessions
from proto.gen import observed_pb2
from tests.fakes.clock import FakeClock, settle

MACHINE = Machine("machine-1", "10.0.0.1")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sessions(clock: FakeClock) -> Sessions:
    return Sessions(clock, heartbeat_s=10, grace_s=40)


def test_a_session_id_is_never_used_twice_even_across_restarts(clock: FakeClock) -> None:
    masters = [Sessions(clock, heartbeat_s=10, grace_s=40) for _ in range(3)]
    ids = [master.open("n", MACHINE, "f", removed=False).id for master in masters for _ in range(3)]
    assert len(set(ids)) == 9


def test_a_new_session_ends_the_one_before(sessions: Sessions) -> None:
    first = sessions.open("n", MACHINE, "f", removed=False)
    second = sessions.open("n", MACHINE, "f", removed=False)
    assert sessions.require("n", second.id, "f") is second
    with pytest.raises(Stale):
        sessions.require("n", first.id, "f")
    with pytest.raises(Stale):
        sessions.require("n", second.id, "another certificate")
    with pytest.raises(Stale):
        sessions.require("m", second.id, "f")


@pytest.mark.parametrize("other", [Machine("machine-2", "10.0.0.1"), Machine("machine-1", "10.0.0.2")])
async def test_another_machine_waits_until_the_first_is_silent(
    sessions: Sessions, clock: FakeClock, other: Machine
) -> None:
    first = sessions.open("n", MACHINE, "f", removed=False)
    await clock.advance(39)
    with pytest.raises(Occupied):
        sessions.open("n", other, "f", removed=False)
    sessions.beat(first)
    await clock.advance(39)
    with pytest.raises(Occupied):
        sessions.open("n", other, "f", removed=False)
    await clock.advance(2)
    assert sessions.open("n", other, "f", removed=False)


def test_the_session_of_a_removed_node_does_not_block_its_successor(sessions: Sessions) -> None:
    old = sessions.open("n", MACHINE, "f", removed=True)
    with pytest.raises(Occupied):
        sessions.open("n", Machine("machine-2", "10.0.0.2"), "f", removed=True)
    new = sessions.open("n", Machine("machine-2", "10.0.0.2"), "g", removed=False)
    assert old.end_reason and sessions.current("n") is new


def test_the_agent_that_had_the_session_may_reconnect_from_another_address(sessions: Sessions) -> None:
    first = sessions.open("n", MACHINE, "f", removed=False)
    moved = Machine(MACHINE.id, "10.0.0.2")
    with pytest.raises(Occupied):
        sessions.open("n", moved, "f", removed=False, previous_id="guessed")
    second = sessions.open("n", moved, "f", removed=False, previous_id=first.id)
    with pytest.raises(Occupied):
        sessions.open("n", MACHINE, "f", removed=False, previous_id=first.id)
    assert sessions.current("n") is second


def test_a_machine_may_reconnect_from_any_of_its_addresses_and_another_machine_may_not(sessions: Sessions) -> None:
    first = sessions.open("n", MACHINE, "f", removed=False)
    moved, both = Machine(MACHINE.id, "10.0.0.2"), ("10.0.0.1", "10.0.0.2")
    with pytest.raises(Occupied):
        sessions.open("n", moved, "f", removed=False, addresses=("10.0.0.2", "10.0.0.3"))
    with pytest.raises(Occupied):
        sessions.open("n", Machine("machine-2", "10.0.0.2"), "f", removed=False, addresses=both)
    second = sessions.open("n", moved, "f", removed=False, addresses=both)
    assert first.end_reason and sessions.current("n") is second


async def test_a_node_may_be_alive_for_a_grace_period_after_its_heartbeat_and_after_the_masters_start(
    sessions: Sessions, clock: FakeClock
) -> None:
    assert sessions.may_be_alive("n"), "the master has only just begun to listen"
    await clock.advance(41)
    assert not sessions.may_be_alive("n")
    sessions.open("n", MACHINE, "f", removed=False)
    await clock.advance(39)
    assert sessions.may_be_alive("n")
    await clock.advance(2)
    assert not sessions.may_be_alive("n")


async def test_the_last_heartbeat_is_remembered_after_the_session(sessions: Sessions, clock: FakeClock) -> None:
    assert sessions.last_seen("n") is None
    session = sessions.open("n", MACHINE, "f", removed=False)
    await clock.advance(5)
    sessions.beat(session)
    sessions.end_session("n", "silent")
    assert sessions.last_seen("n") == clock.monotonic()
    assert sessions.current("n") is None
    sessions.forget("n")
    assert sessions.last_seen("n") is None


def test_periods_vary_around_the_configured_period(clock: FakeClock) -> None:
    sessions = Sessions(clock, heartbeat_s=10, grace_s=40)
    periods = [sessions.periods() for _ in range(50)]
    assert {period.grace_ms for period in periods} == {40_000}
    assert len({period.next_heartbeat_ms for period in periods}) > 5
    assert all(9_000 <= period.next_heartbeat_ms <= 11_000 for period in periods)


async def test_a_stall_of_the_master_is_noticed(sessions: Sessions, clock: FakeClock) -> None:
    task = asyncio.create_task(sessions.run())
    await settle()
    await clock.advance(30)
    assert sessions.stalled_at == sessions.started_at
    clock._monotonic += 20  # time passes without waking any timer
    await clock.advance(1)
    assert sessions.stalled_at > sessions.started_at
    task.cancel()


async def test_a_stall_is_noticed_by_the_first_reader() -> None:
    """Timers that are overdue after a stall run in any order."""
    clock = FakeClock()
    sessions = Sessions(clock, heartbeat_s=1, grace_s=5)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(sessions.run())
        await clock.advance(3)
        assert sessions.stalled_at == sessions.started_at
        clock._monotonic += 20
        assert sessions.stalled_at == clock.monotonic()
        watching.cancel()


async def test_the_usage_of_a_node_is_known_from_the_second_heartbeat_on(sessions: Sessions, clock: FakeClock) -> None:
    session = sessions.open("n", MACHINE, "f", removed=False)
    sessions.measured(session, observed_pb2.Usage(cpu_millis=1, memory_bytes=2))
    assert sessions.usage("n") is None, "nothing says in which time the processor was used"
    await clock.advance(9.5)
    sessions.measured(session, observed_pb2.Usage(cpu_millis=250, memory_bytes=1 << 30))
    assert sessions.usage("n") == NodeUsage(clock.now(), 9.5, 250, 1 << 30)
    assert sessions.usage("m") is None


async def test_a_heartbeat_shortly_after_another_changes_no_usage(sessions: Sessions, clock: FakeClock) -> None:
    session = sessions.open("n", MACHINE, "f", removed=False)
    for after_s, cpu_millis in ((0.0, 0), (10.0, 250), (0.1, 4000)):
        await clock.advance(after_s)
        sessions.measured(session, observed_pb2.Usage(cpu_millis=cpu_millis))
    usage = sessions.usage("n")
    assert usage is not None and (usage.cpu_millis, usage.window_s) == (250, 10)
    await clock.advance(5)
    sessions.measured(session, observed_pb2.Usage(cpu_millis=300))
    usage = sessions.usage("n")
    assert usage is not None and (usage.cpu_millis, usage.window_s) == (300, 5), "measured since the short one"


async def test_an_old_usage_is_not_shown_and_neither_is_that_of_an_earlier_session(
    sessions: Sessions, clock: FakeClock
) -> None:
    session = sessions.open("n", MACHINE, "f", removed=False)
    for _ in range(2):
        await clock.advance(10)
        sessions.measured(session, observed_pb2.Usage(cpu_millis=250))
    await clock.advance(39)
    sessions.beat(session)
    assert sessions.usage("n") is not None
    await clock.advance(1)
    assert sessions.usage("n") is None, "an agent that reports no usage any more"
    sessions.measured(session, observed_pb2.Usage(cpu_millis=250))
    assert sessions.usage("n") is not None
    sessions.open("n", MACHINE, "f", removed=False)
    assert sessions.usage("n") is None


POD_USAGES = observed_pb2.PodUsages(
    age_ms=2500,
    pods=[
        observed_pb2.PodUsage(
            uid="u1",
            containers=[
                observed_pb2.ContainerUsage(name="app", cpu_nano_cores=5, memory_bytes=6, window_ms=10_000),
                observed_pb2.ContainerUsage(name="new", cpu_nano_cores=7, memory_bytes=8, window_ms=1500),
            ],
        ),
        observed_pb2.PodUsage(uid="empty"),
    ],
)


async def test_usages_of_pods_are_dated_by_the_masters_clock_and_expire(sessions: Sessions, clock: FakeClock) -> None:
    session = sessions.open("n", MACHINE, "f", removed=False)
    assert sessions.pod_usages("n") == {}
    sessions.pods_measured(session, POD_USAGES)
    containers = (ContainerUsage("app", 5, 6), ContainerUsage("new", 7, 8))
    measured_at = clock.now() - timedelta(seconds=2.5)
    assert sessions.pod_usages("n") == {"u1": PodUsage(measured_at, 1.5, containers)}
    assert sessions.pod_usages("m") == {}
    await clock.advance(40)
    sessions.beat(session)
    assert sessions.pod_usages("n") == {}, "an agent that reports no usages any more"
    sessions.pods_measured(session, observed_pb2.PodUsages())
    assert sessions.pod_usages("n") == {}
    sessions.pods_measured(session, POD_USAGES)
    sessions.open("n", MACHINE, "f", removed=False)
    assert sessions.pod_usages("n") == {}
