"""The current session of each node, and the time of its last heartbeat.

Owns session ids, the current session of each node, heartbeats (in memory only) and the periods sent to agents. Does not
write to the store and does not use gRPC. Implements the Heartbeats Protocol of master/controllers, and the Usages
Protocol of master/api.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NewType

from master.api.usages import NodeUsage, PodUsage
from master.clock import Clock
from master.dispatch.errors import Occupied, Stale
from master.dispatch.outbox import Outbox
from master.dispatch.usages import pod_usages
from proto import contract
from proto.gen import observed_pb2, session_pb2

SessionId = NewType("SessionId", str)

JITTER: Final = 0.1
"""Random variation of the heartbeat period, as a fraction, so that nodes that started together drift apart."""
SHORTEST_WINDOW_S: Final = 0.5
"""A processor's use in less time says nothing. Such heartbeats follow each other when the node's state changes."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Machine:
    """What distinguishes a machine from another one with a copy of its identity."""

    id: str
    address: str


@dataclass(slots=True, eq=False)
class Session:
    """A conversation with one agent, which begins with its Hello."""

    id: SessionId
    node: str
    machine: Machine
    fingerprint: str
    removed: bool
    """The Node was deleted: the agent is to clean up and leave."""
    version: int
    """The protocol version that both sides speak."""
    outbox: Outbox
    last_seen: float
    applied_revision: int = 0
    measured_at: float | None = None
    """When the last usage arrived, in monotonic seconds."""
    usage: NodeUsage | None = None
    pods_measured_at: float | None = None
    """When the usages of pods arrived, in monotonic seconds."""
    pods: Mapping[str, PodUsage] = field(default_factory=dict)
    """What the node's pods use, by uid."""
    end_reason: str = ""
    """Why the session has ended; empty while it is current."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Sessions:
    """All current sessions of this master."""

    def __init__(
        self,
        clock: Clock,
        *,
        heartbeat_s: float,
        grace_s: float,
        uniform: Callable[[float, float], float] | None = None,
    ) -> None:
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._grace_s = grace_s
        self._uniform = uniform or random.uniform
        self._boot = uuid.uuid4().hex
        self._numbers = itertools.count(1)
        self._current: dict[str, Session] = {}
        self._last_seen: dict[str, float] = {}
        self._started_at = self._stalled_at = clock.monotonic()
        self._tick_s = min(heartbeat_s / 2, 1.0)
        self._ticked_at: float | None = None

    @property
    def started_at(self) -> float:
        """When this master began to listen, in monotonic seconds."""
        return self._started_at

    @property
    def stalled_at(self) -> float:
        """When the event loop last resumed after a stall; `started_at` when it never stalled."""
        self._notice_stall()
        return self._stalled_at

    def open(
        self,
        node: str,
        machine: Machine,
        fingerprint: str,
        *,
        removed: bool,
        version: int = contract.PROTOCOL_VERSION,
        previous_id: str = "",
        addresses: Collection[str] = (),
    ) -> Session:
        """Opens a session and ends the node's earlier one. Raises Occupied while another machine sends heartbeats.

        `previous_id`: the session that the agent says it had. Only the agent that had the earlier session knows its id.
        `addresses`: all addresses of the machine. If the earlier session's address is among them, the machine is the
        same and only its route to the master has changed. `version`: the protocol version of the session.
        """
        now = self._clock.monotonic()
        before = self._current.get(node)
        is_another = before and before.id != previous_id and not _is_same(before.machine, machine, addresses)
        if before and before.removed and not removed:
            # The node was deleted and its name belongs to a new identity: the earlier machine has no claim to it.
            is_another = False
        if before and is_another and now - before.last_seen < self._grace_s:
            raise Occupied(
                f"node {node} is connected from another machine ({before.machine.address}), and only one machine may "
                "use its identity: on a copy of the machine run `sampan reset`, then join under another name; "
                "otherwise stop the other agent"
            )
        if before:
            self._end(before, "replaced by a new session")
        session = Session(
            id=SessionId(f"{self._boot}-{next(self._numbers)}"),
            node=node,
            machine=machine,
            fingerprint=fingerprint,
            removed=removed,
            version=version,
            outbox=Outbox(empty=removed, version=version),
            last_seen=now,
        )
        self._current[node] = session
        self._last_seen[node] = now
        return session

    def require(self, node: str, session_id: str, fingerprint: str) -> Session:
        """The node's current session. Raises Stale when the call belongs to another session."""
        session = self._current.get(node)
        if session is None or session.id != session_id:
            raise Stale(f"session of node {node} has ended; say Hello again")
        if session.fingerprint != fingerprint:
            raise Stale(f"session of node {node} was opened with another certificate; say Hello again")
        return session

    def current(self, node: str) -> Session | None:
        """The node's current session, if it has one."""
        return self._current.get(node)

    def all(self) -> Iterator[Session]:
        """All current sessions."""
        return iter(list(self._current.values()))

    def beat(self, session: Session) -> None:
        """Notes a sign of life of the agent."""
        session.last_seen = self._last_seen[session.node] = self._clock.monotonic()

    def measured(self, session: Session, usage: observed_pb2.Usage) -> None:
        """Keeps what the machine uses. Agents measure from heartbeat to heartbeat, so the first one says nothing."""
        now, before = self._clock.monotonic(), session.measured_at
        session.measured_at = now
        if before is not None and now - before >= SHORTEST_WINDOW_S:
            session.usage = NodeUsage(self._clock.now(), now - before, usage.cpu_millis, usage.memory_bytes)

    def usage(self, node: str) -> NodeUsage | None:
        """What the node uses; None if its agent has reported no usage within the grace period."""
        session = self._current.get(node)
        if session is None or session.measured_at is None:
            return None
        return session.usage if self._clock.monotonic() - session.measured_at < self._grace_s else None

    def pods_measured(self, session: Session, usages: observed_pb2.PodUsages) -> None:
        """Keeps what the node's pods use."""
        session.pods_measured_at = self._clock.monotonic()
        session.pods = pod_usages(usages, self._clock.now())

    def pod_usages(self, node: str) -> Mapping[str, PodUsage]:
        """What the node's pods use, by uid; empty if its agent has reported nothing within the grace period."""
        session = self._current.get(node)
        if session is None or session.pods_measured_at is None:
            return {}
        return session.pods if self._clock.monotonic() - session.pods_measured_at < self._grace_s else {}

    def last_seen(self, node: str) -> float | None:
        """The time of the node's last call, in monotonic seconds; None when there was none since the start."""
        return self._last_seen.get(node)

    def may_be_alive(self, node: str) -> bool:
        """Whether the node called within the grace period, which starts again after the master's own start or stall."""
        since = max(self._last_seen.get(node, self.started_at), self.stalled_at)
        return self._clock.monotonic() - since < self._grace_s

    def end_session(self, node: str, reason: str) -> None:
        """Ends the node's session, if it has one."""
        if session := self._current.get(node):
            self._end(session, reason)

    def close(self, session: Session, reason: str) -> None:
        """Ends this session, if it is still the node's current one."""
        if self._current.get(session.node) is session:
            self._end(session, reason)

    def forget(self, node: str) -> None:
        """Ends the session and drops the heartbeats of a node whose identity is gone."""
        self.end_session(node, "the node has left")
        self._last_seen.pop(node, None)

    def periods(self) -> session_pb2.Periods:
        """The periods for an agent: when to send the next heartbeat, and how long it may be silent."""
        period_s = self._heartbeat_s * self._uniform(1 - JITTER, 1 + JITTER)
        return session_pb2.Periods(next_heartbeat_ms=int(period_s * 1000), grace_ms=int(self._grace_s * 1000))

    async def run(self) -> None:
        """Watches the event loop until cancelled: after a stall of the master every node gets a new grace period."""
        while True:
            self._ticked_at = self._clock.monotonic()
            await self._clock.sleep(self._tick_s)
            self._notice_stall()

    def _notice_stall(self) -> None:
        """Called by every reader of `stalled_at` too: after a stall, other timers may run before the one of `run`."""
        now = self._clock.monotonic()
        late_s = now - self._tick_s - (self._ticked_at if self._ticked_at is not None else now)
        if late_s > max(self._tick_s, self._grace_s / 4):
            self._ticked_at = self._stalled_at = now
            log.warning("the master's event loop stalled for %.1f s: every node gets a new grace period", late_s)

    def _end(self, session: Session, reason: str) -> None:
        del self._current[session.node]
        session.end_reason = reason
        session.ended.set()
        session.outbox.close()
        log.info("node %s: session ended: %s", session.node, reason)


def _is_same(before: Machine, now: Machine, addresses: Collection[str]) -> bool:
    return before.id == now.id and before.address in {now.address, *addresses}
