"""The conversation with the master: Hello, then desired state in, heartbeats and reports out, again and again.

Owns the order of calls, the periods and the reconnecting. What the node is and does stands behind `NodeSide`; it
runs on, whatever happens here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Final, Protocol

from agent.clock import Clock
from agent.desired.state import DesiredState
from agent.identity.files import Identity
from agent.model import LogRequest
from agent.session.backoff import Backoff
from agent.session.channel import Master
from agent.session.errors import Lost, Refused, Renewed, SessionError
from agent.session.renewal import Renewal
from agent.session.reporter import ReportQueue
from agent.session.streams import StreamSender
from agent.statuses import Beat, Capacity, NodeInfo, PodStatus
from agent.wire.errors import Gap, WireError
from agent.wire.observed import capacity_to_proto, condition_to_proto, info_to_proto, usage_to_proto
from agent.wire.sanity import check_stream, sensible
from proto import contract
from proto.gen import session_pb2

HELLO_TIMEOUT_S: Final = 5.0
REPORT_TIMEOUT_S: Final = 20.0
REFUSED_RETRY_S: Final = 10.0
"""The master will not change its mind by itself: somebody has to do something first."""
LONGEST_WAIT_S: Final = 30.0
ADDRESS_CHECK_S: Final = 2.0
"""A connection from an address that is gone would only be missed after half the grace period."""
MOST_CHARACTERS: Final = 1000
"""Of what is told of the master's words."""

_OURS: Final = range(contract.OLDEST_PROTOCOL_VERSION, contract.PROTOCOL_VERSION + 1)

log = logging.getLogger(__name__)


class NodeSide(Protocol):
    """The node, as the session needs it."""

    @property
    def beat_now(self) -> asyncio.Event:
        """Set when something changed that the next heartbeat should not wait with."""
        ...

    async def describe(self) -> tuple[NodeInfo, Capacity]:
        """For Hello. Raises OSError while the node's address is not known."""
        ...

    async def address(self) -> str:
        """The node's present address. Raises OSError while it is not known."""
        ...

    def beat(self) -> Beat: ...

    def statuses(self) -> Iterable[PodStatus]:
        """Of every pod: what a new session begins with."""
        ...

    def desired_changed(self) -> None:
        """A cut was applied to the desired state."""
        ...

    def logs(self, request: LogRequest) -> AsyncIterator[bytes]: ...

    async def leave(self) -> None:
        """Remove everything of ours from this machine; return when nothing is left."""
        ...


class SessionLoop:
    """Holds a session whenever the master can be reached."""

    def __init__(
        self,
        renewal: Renewal,
        side: NodeSide,
        desired: DesiredState,
        reports: ReportQueue,
        clock: Clock,
        *,
        connect: Callable[[Identity], Master] = Master,
    ) -> None:
        self._renewal = renewal
        self._side = side
        self._desired = desired
        self._reports = reports
        self._clock = clock
        self._connect = connect
        self._backoff = Backoff(ceiling_s=HELLO_TIMEOUT_S)
        self._opened_at: float | None = None
        self._last_id = ""
        self._said = ""

    async def run(self) -> None:
        """Until the master says that the node was deleted, and everything is cleaned up and reported."""
        while True:
            self._opened_at = None
            try:
                if await self._session():
                    return
            except Refused as error:
                self._tell(f"the master refuses this agent: {error}; everything here is left running")
                await self._clock.sleep(REFUSED_RETRY_S)
                continue
            except Renewed as error:
                log.info("%s: the session is opened anew", str(error))
            except (SessionError, WireError, OSError) as error:
                self._tell(self._renewal.expired or f"no session with the master: {error}")
            except Exception:  # the loop's boundary: what is wrong with one session must not end the node
                log.exception("node %s: the session failed", self._renewal.identity.node_name)
            await self._clock.sleep(self._wait_s())

    async def _session(self) -> bool:
        """One session from Hello to its end, which is an error; True when the node has left the cluster."""
        info, capacity = await self._side.describe()
        identity = self._renewal.identity
        async with self._connect(identity) as master:
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
                raise Refused(f"it is of cluster {reply.cluster_id}, protocol version {reply.protocol_version}")
            self._opened(reply)
            if reply.ca and not reply.removed and await self._renewal.trust(reply.ca):
                raise Renewed("other CAs are to be trusted")
            self._renewal.wanted = reply.renew
            if reply.removed:
                await self._leave(master, reply)
                return True
            conversation = _Conversation(self._side, self._desired, self._reports, self._clock, master, reply)
            await conversation.run(self._renewal, info.address)
        raise Lost("the session ended")

    def _wait_s(self) -> float:
        """The next wait grows until a session lasted: one that ends as soon as it began must not begin at once."""
        if self._opened_at is not None and self._clock.monotonic() - self._opened_at > self._backoff.ceiling_s:
            self._backoff.reset()
            self._said = ""
        return self._backoff.next_s()

    def _opened(self, reply: session_pb2.HelloReply) -> None:
        log.info("session %s with the master", reply.session_id[:MOST_CHARACTERS])
        self._opened_at, self._last_id = self._clock.monotonic(), reply.session_id
        self._backoff.ceiling_s = min(max(sensible(reply.periods).next_heartbeat_ms / 1000, 1.0), LONGEST_WAIT_S)

    async def _leave(self, master: Master, reply: session_pb2.HelloReply) -> None:
        log.warning("the Node was deleted: removing everything of ours from this machine")
        request = session_pb2.DesiredRequest(session_id=reply.session_id)
        async with contextlib.aclosing(master.desired(request)) as messages:
            async for message in messages:
                if message.HasField("cut") and self._desired.receive(message.cut):
                    break
        await self._side.leave()
        await master.report_left(session_pb2.LeftReport(session_id=reply.session_id), REPORT_TIMEOUT_S)

    def _tell(self, text: str) -> None:
        """In one line, and once: until something else is to be told, or a session lasted."""
        text = " ".join(text.split())[:MOST_CHARACTERS]
        if text != self._said:
            log.warning("%s", text)
        self._said = text


class _Conversation:
    """What goes on at once during one session."""

    def __init__(
        self,
        side: NodeSide,
        desired: DesiredState,
        reports: ReportQueue,
        clock: Clock,
        master: Master,
        hello: session_pb2.HelloReply,
    ) -> None:
        self._side = side
        self._desired = desired
        self._reports = reports
        self._clock = clock
        self._master = master
        self._id = hello.session_id
        self._periods = sensible(hello.periods)
        self._streams = StreamSender(self._id, master.stream, side.logs)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, renewal: Renewal, address: str) -> None:
        """Raises the error that ended it. `address`: what the master was told."""
        for status in self._side.statuses():
            self._reports.report(status)
        self._start(self._receive(), "desired state")
        self._start(self._heartbeats(), "heartbeats")
        self._start(self._report_pods(), "pod reports")
        self._start(self._report_events(), "event reports")
        self._start(renewal.run(self._master), "certificate renewal")
        self._start(self._watch_address(address), "own address")
        # No TaskGroup: one that fails while it is being cancelled forgets the cancellation (Python 3.11), and the
        # agent would not stop.
        try:
            while not (ended := [task for task in self._tasks if task.done()]):
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(list(self._tasks))
            self._desired.interrupted()
        try:
            raise _reason(ended)
        finally:
            # An error leads to this frame. If the frame led to the error too, by its tasks, both and the connection
            # with them would stay until somebody collects garbage: a while, in an agent that has little to do.
            self._tasks.clear()
            del ended

    def _start(self, work: Coroutine[None, None, None], name: str, *, may_end: bool = False) -> None:
        """A task of this session. One that `may_end` well is forgotten then; any other end is the session's."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        if may_end:
            task.add_done_callback(lambda done: self._tasks.discard(done) if not _failed(done) else None)

    async def _receive(self) -> None:
        in_gap = False
        while True:
            request = session_pb2.DesiredRequest(session_id=self._id)
            try:
                async with contextlib.aclosing(self._master.desired(request)) as messages:
                    async for message in messages:
                        if message.HasField("open_stream"):
                            wanted = message.open_stream
                            check_stream(wanted)
                            self._start(self._streams.answer(wanted), f"stream {wanted.stream_id}", may_end=True)
                        elif message.HasField("cut") and self._desired.receive(message.cut, member=True):
                            in_gap = False
                            self._side.desired_changed()
            except Gap as gap:
                if in_gap:
                    raise  # no whole cut in between: asking at once once more would never end
                in_gap = True
                # As text: whoever keeps the error keeps the call, and with it the connection.
                log.warning("%s: asking for a snapshot", str(gap))

    async def _heartbeats(self) -> None:
        answered_at = self._clock.monotonic()
        while True:
            beat = self._side.beat()
            self._side.beat_now.clear()
            request = session_pb2.HeartbeatRequest(
                session_id=self._id,
                capacity=capacity_to_proto(beat.capacity),
                usage=usage_to_proto(beat.usage),
                applied_revision=beat.applied_revision,
                conditions=map(condition_to_proto, beat.conditions),
            )
            # Half the grace without an answer: on a new connection there is time left before the node is Unknown.
            left_s = answered_at + self._periods.grace_ms / 2000 - self._clock.monotonic()
            reply = await self._master.heartbeat(request, left_s)
            answered_at = self._clock.monotonic()
            self._periods = sensible(reply.periods)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._periods.next_heartbeat_ms / 1000):
                    await self._side.beat_now.wait()

    async def _watch_address(self, told: str) -> None:
        """Ends the session when the host has another address at two looks: two ways that take turns are no change."""
        before = told
        while True:
            await self._clock.sleep(ADDRESS_CHECK_S)
            # Without a route there is none: the connection's own end tells of that.
            with contextlib.suppress(OSError):
                address = await self._side.address()
                if address == before != told:
                    raise Renewed(f"this host's address was {told} and is {address}")
                before = address

    async def _report_pods(self) -> None:
        known: set[str] = set()
        said = 0
        while True:
            await self._reports.pods_waiting.wait()
            batch = self._reports.take_pods()
            try:
                reply = await self._master.report_pods(
                    session_pb2.PodReport(session_id=self._id, pods=batch), REPORT_TIMEOUT_S
                )
            except BaseException:
                self._reports.give_back_pods(batch)
                raise
            for uid in reply.unknown:
                log.info("pod %s: the master does not know it (any more)", uid)
            known |= {status.uid for status in batch}
            known -= {status.uid for status in batch if status.removed}
            if len(known) != said and not self._reports.pods_waiting.is_set():
                said = len(known)
                log.info("the master has the statuses of %d pods", said)

    async def _report_events(self) -> None:
        while True:
            await self._reports.events_waiting.wait()
            batch = self._reports.take_events()
            try:
                await self._master.report_events(
                    session_pb2.EventReport(session_id=self._id, events=batch), REPORT_TIMEOUT_S
                )
            except BaseException:
                self._reports.give_back_events(batch)
                raise


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _reason(ended: Iterable[asyncio.Task[None]]) -> BaseException:
    """Why a session ended, by the tasks that ended first."""
    errors = [error for task in ended if (error := task.exception()) is not None]
    refusals = [error for error in errors if isinstance(error, Refused)]
    return (refusals or errors or [Lost("the session ended")])[0]


def _failed(task: asyncio.Task[None]) -> bool:
    return not task.cancelled() and task.exception() is not None
