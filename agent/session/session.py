"""Sessions with the master: Hello, then desired state in, heartbeats and reports out; reconnects after each end.

Owns the order of the calls, the periods and reconnecting. The node itself is behind `NodeSide`; it keeps running
whatever happens to sessions. Streams go on if only the certificate changes (lingering.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from typing import Final

from agent.clock import Clock
from agent.desired.state import DesiredState
from agent.identity.files import Identity
from agent.session.backoff import Backoff
from agent.session.channel import Master
from agent.session.errors import Lost, Refused, Renewed, SessionError
from agent.session.lingering import Lingering
from agent.session.nodeside import NodeSide
from agent.session.refusals import refusal_event
from agent.session.renewal import Renewal
from agent.session.reporter import ReportQueue
from agent.session.streams import StreamSender
from agent.session.tokens import SessionTokens
from agent.session.usages import usages_to_proto
from agent.wire.errors import Gap, WireError
from agent.wire.observed import capacity_to_proto, condition_to_proto, info_to_proto, usage_to_proto
from agent.wire.sanity import sensible
from proto import contract
from proto.gen import session_pb2

HELLO_TIMEOUT_S: Final = 5.0
REPORT_TIMEOUT_S: Final = 20.0
EVENT_PAUSE_S: Final = 0.1
REFUSED_RETRY_S: Final = 10.0
"""Long, as a refusal lasts until an administrator does something."""
MAX_WAIT_S: Final = 30.0
ADDRESS_CHECK_S: Final = 2.0
"""Without this check, a connection from a lost address would be noticed only after half the grace period."""
MAX_CHARACTERS: Final = 1000
"""Longest text from the master in a log message."""
MAX_LOGGED: Final = 10
"""Refused items of one cut that are logged one by one."""

_OURS: Final = range(contract.OLDEST_PROTOCOL_VERSION, contract.PROTOCOL_VERSION + 1)

log = logging.getLogger(__name__)


class SessionLoop:
    """Keeps a session open whenever the master can be reached."""

    def __init__(
        self,
        renewal: Renewal,
        side: NodeSide,
        desired: DesiredState,
        reports: ReportQueue,
        clock: Clock,
        *,
        connect: Callable[[Identity], Master] = Master,
        tokens: SessionTokens | None = None,
    ) -> None:
        self._renewal = renewal
        self._side = side
        self._desired = desired
        self._reports = reports
        self._clock = clock
        self._connect = connect
        self._tokens = tokens or SessionTokens()
        self._backoff = Backoff(ceiling_s=HELLO_TIMEOUT_S)
        self._opened_at: float | None = None
        self._last_id = ""
        self._warned = ""
        self._lingering = Lingering()

    async def run(self) -> None:
        """Run until the Node was deleted and everything is cleaned up and reported."""
        try:
            await self._sessions()
        finally:
            await self._lingering.aclose()

    async def _sessions(self) -> None:
        while True:
            self._opened_at = None
            try:
                if await self._session():
                    return
            except Refused as error:
                self._warn(f"the master refuses this agent: {error}; everything on this node keeps running")
                await self._clock.sleep(REFUSED_RETRY_S)
                continue
            except Renewed as error:
                log.info("%s: opening a new session", str(error))
            except (SessionError, WireError, OSError) as error:
                self._warn(self._renewal.expired or f"no session with the master: {error}")
            except Exception:  # the loop's boundary: an error in one session must not end the node
                log.exception("node %s: the session failed", self._renewal.identity.node_name)
            await self._clock.sleep(self._wait_s())

    async def _session(self) -> bool:
        """One session from Hello to its end, which raises; returns True when the node has left the cluster."""
        info, capacity = await self._side.describe()
        identity = self._renewal.identity
        async with AsyncExitStack() as connection:
            master = await connection.enter_async_context(self._connect(identity))
            reply = await master.hello(
                session_pb2.HelloRequest(
                    protocol_version=contract.OLDEST_PROTOCOL_VERSION,
                    highest_protocol_version=contract.PROTOCOL_VERSION,
                    trusted=contract.fingerprints(identity.ca),
                    cluster_id=identity.cluster_id,
                    node=info_to_proto(info),
                    capacity=capacity_to_proto(capacity),
                    applied_revision=self._side.beat().applied_revision,
                    previous_session_id=self._last_id,
                ),
                HELLO_TIMEOUT_S,
            )
            if reply.protocol_version not in _OURS or reply.cluster_id != identity.cluster_id:
                raise Refused(f"its reply is of cluster {reply.cluster_id}, protocol version {reply.protocol_version}")
            self._opened(reply)
            if reply.ca and not reply.removed and await self._renewal.trust(reply.ca):
                raise Renewed("the cluster's CAs have changed")
            self._renewal.requested = reply.renew
            if reply.removed:
                await self._leave(master, reply)
                return True
            conversation = _Conversation(
                self._side, self._desired, self._reports, self._clock, master, reply, node=identity.node_name
            )
            self._tokens.opened(master, reply)
            try:
                await conversation.run(self._renewal, info.address)
            finally:
                self._tokens.closed()
                if conversation.kept:
                    await self._lingering.keep(connection.pop_all(), conversation.kept)
        raise Lost("the session ended")

    def _wait_s(self) -> float:
        """The delay before the next session. Reset only after a session that lasted, not by each successful Hello."""
        if self._opened_at is not None and self._clock.monotonic() - self._opened_at > self._backoff.ceiling_s:
            self._backoff.reset()
            self._warned = ""
        return self._backoff.next_s()

    def _opened(self, reply: session_pb2.HelloReply) -> None:
        log.info("session %s with the master", reply.session_id[:MAX_CHARACTERS])
        self._opened_at, self._last_id = self._clock.monotonic(), reply.session_id
        self._backoff.ceiling_s = min(max(sensible(reply.periods).next_heartbeat_ms / 1000, 1.0), MAX_WAIT_S)

    async def _leave(self, master: Master, reply: session_pb2.HelloReply) -> None:
        log.warning("the Node was deleted: removing everything of ours from this machine")
        request = session_pb2.DesiredRequest(session_id=reply.session_id)
        async with contextlib.aclosing(master.desired(request)) as messages:
            async for message in messages:
                if message.HasField("cut") and self._desired.receive(message.cut):
                    break
        await self._side.leave()
        await master.report_left(session_pb2.LeftReport(session_id=reply.session_id), REPORT_TIMEOUT_S)

    def _warn(self, text: str) -> None:
        """Log it in one line, and not again until the text changes or a session lasted."""
        text = " ".join(text.split())[:MAX_CHARACTERS]
        if text != self._warned:
            log.warning("%s", text)
        self._warned = text


class _Conversation:
    """The concurrent tasks of one session."""

    def __init__(
        self,
        side: NodeSide,
        desired: DesiredState,
        reports: ReportQueue,
        clock: Clock,
        master: Master,
        hello: session_pb2.HelloReply,
        *,
        node: str,
    ) -> None:
        self._node = node
        self._side = side
        self._desired = desired
        self._reports = reports
        self._clock = clock
        self._master = master
        self._id = hello.session_id
        self._periods = sensible(hello.periods)
        self._streams = StreamSender(self._id, master.stream, side)
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.Task[None]] = set()
        """Those of the tasks that are streams."""
        self.kept: frozenset[asyncio.Task[None]] = frozenset()
        """After the end: streams that go on, because their connection works."""

    async def run(self, renewal: Renewal, address: str) -> None:
        """Run until an error ends the session, and raise it. `address`: the node address sent with Hello."""
        for status in self._side.statuses():
            self._reports.report(status)
        self._start(self._receive(), "desired state")
        self._start(self._heartbeats(), "heartbeats")
        self._start(self._report_pods(), "pod reports")
        self._start(self._report_events(), "event reports")
        self._start(renewal.run(self._master), "certificate renewal")
        self._start(self._watch_address(address), "own address")
        # No TaskGroup: if it fails while being cancelled, it loses the cancellation (Python 3.11), and the agent would
        # not stop.
        ended: list[asyncio.Task[None]] = []
        try:
            while not (ended := [task for task in self._tasks if task.done()]):
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            if _works(ended):
                self.kept = frozenset(self._open)
        finally:
            await _end([task for task in self._tasks if task not in self.kept])
            self._desired.interrupted()
        try:
            raise _reason(ended)
        finally:
            # The error refers to this frame. If the frame referred to the error too, through its tasks, both would keep
            # the connection alive until the next garbage collection, which comes late in an idle agent.
            self._tasks.clear()
            self._open.clear()
            del ended

    def _start(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Start a task of this session. Its end ends the session."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        return task

    def _start_stream(self, request: session_pb2.StreamRequest) -> None:
        """Start a stream. Only its failure ends the session."""
        task = self._start(self._streams.answer(request), f"stream {request.stream_id}")
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        task.add_done_callback(lambda done: self._tasks.discard(done) if not _failed(done) else None)

    async def _receive(self) -> None:
        in_gap = False
        while True:
            calling = self._master.desired(session_pb2.DesiredRequest(session_id=self._id))
            try:
                async with contextlib.aclosing(calling) as messages:
                    async for message in messages:
                        if message.HasField("open_stream"):
                            self._start_stream(message.open_stream)
                        elif message.HasField("cut") and self._desired.receive(message.cut, member=True):
                            in_gap = False
                            self._side.desired_changed()
                            self._report_refusals()
            except Gap as gap:
                if in_gap:
                    raise  # no complete cut since the last gap: asking again at once could repeat forever
                in_gap = True
                # As text: a log handler that keeps the error would keep the call, and with it the connection.
                log.warning("%s: asking for a snapshot", str(gap))

    def _report_refusals(self) -> None:
        refusals = self._desired.take_refusals()
        for refusal in refusals:
            self._reports.event(refusal_event(refusal, self._node, self._clock.wall()))
        for refusal in refusals[:MAX_LOGGED]:
            log.error("refused, and left as it was: %s", refusal)
        if len(refusals) > MAX_LOGGED:
            log.error("refused %d more items of the master's", len(refusals) - MAX_LOGGED)

    async def _heartbeats(self) -> None:
        answered_at, reported_at = self._clock.monotonic(), 0.0
        while True:
            beat, measured = self._side.beat(), self._side.usage()
            self._side.beat_now.clear()
            request = session_pb2.HeartbeatRequest(
                session_id=self._id,
                capacity=capacity_to_proto(beat.capacity),
                usage=usage_to_proto(beat.usage),
                applied_revision=beat.applied_revision,
                conditions=map(condition_to_proto, beat.conditions),
            )
            if measured.taken_at != reported_at:
                request.pod_usages.CopyFrom(usages_to_proto(measured, self._clock.monotonic()))
            # Give up after half the grace period: that leaves time for a new connection before the node is Unknown.
            left_s = answered_at + self._periods.grace_ms / 2000 - self._clock.monotonic()
            reply = await self._master.heartbeat(request, left_s)
            answered_at, reported_at = self._clock.monotonic(), measured.taken_at
            self._periods = sensible(reply.periods)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._periods.next_heartbeat_ms / 1000):
                    await self._side.beat_now.wait()

    async def _watch_address(self, reported: str) -> None:
        """End the session when the host has a new address in two checks in a row: alternating routes do not count."""
        before = reported
        while True:
            await self._clock.sleep(ADDRESS_CHECK_S)
            # Without a route there is no address; the connection ends by itself then.
            with contextlib.suppress(OSError):
                address = await self._side.address()
                if address == before != reported:
                    raise Renewed(f"this host's address has changed from {reported} to {address}")
                before = address

    async def _report_pods(self) -> None:
        known: set[str] = set()
        logged = 0
        while True:
            await self._reports.pods_waiting.wait()
            batch = self._reports.take_pods()
            try:
                reply = await self._master.report_pods(
                    session_pb2.PodReport(session_id=self._id, pods=batch), REPORT_TIMEOUT_S
                )
            except BaseException:
                self._reports.put_back_pods(batch)
                raise
            self._reports.acknowledged()
            for uid in reply.unknown:
                log.info("pod %s: unknown to the master (any more)", uid)
            known |= {status.uid for status in batch}
            known -= {status.uid for status in batch if status.removed}
            if len(known) != logged and not self._reports.pods_waiting.is_set():
                logged = len(known)
                log.info("the master has the statuses of %d pods", logged)

    async def _report_events(self) -> None:
        while True:
            await self._reports.events_waiting.wait()
            # More may follow, and the status of a pod, which its users wait for, goes first.
            await self._clock.sleep(EVENT_PAUSE_S)
            batch = self._reports.take_events()
            try:
                await self._master.report_events(
                    session_pb2.EventReport(session_id=self._id, events=batch), REPORT_TIMEOUT_S
                )
            except BaseException:
                self._reports.put_back_events(batch)
                raise
            self._reports.acknowledged()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _reason(ended: Iterable[asyncio.Task[None]]) -> BaseException:
    """The error to raise for the tasks that ended first; a refusal counts most."""
    errors = [error for task in ended if (error := task.exception()) is not None]
    refusals = [error for error in errors if isinstance(error, Refused)]
    return (refusals or errors or [Lost("the session ended")])[0]


def _works(ended: Iterable[asyncio.Task[None]]) -> bool:
    """Whether the session ended on purpose only, over a connection that works."""
    errors = [task.exception() for task in ended]
    return bool(errors) and all(isinstance(error, Renewed) and error.works for error in errors)


def _failed(task: asyncio.Task[None]) -> bool:
    return not task.cancelled() and task.exception() is not None
