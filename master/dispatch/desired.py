"""Follows the cache and sends each session the changes for its node.

Owns the view and the subscription that updates it, and serves the sessions' Desired streams from the view. After a
subscription has lagged, it subscribes again and every node gets a snapshot. An object that agents would refuse is not
sent; an event says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable

from master.cache import Cache, Entry, Lagged, Unreadable
from master.component.events import EventRecorder, Involved
from master.component.follow import paced
from master.dispatch.changes import Dirty
from master.dispatch.errors import Stale
from master.dispatch.sessions import Session, Sessions
from master.dispatch.view import KINDS, View
from master.dispatch.withheld import has_run
from master.kinds import NODE
from master.kinds.core.pod.model import Pod
from master.objects.meta import Object

EVENT_SOURCE = "dispatch"
REASON = "FailedValidation"
"""The reason that agents report, too, for an item that they refuse."""

_DELETED = "the Node was deleted"

log = logging.getLogger(__name__)


class DesiredState:
    """The source of all Desired streams."""

    def __init__(
        self,
        cache: Cache,
        sessions: Sessions,
        *,
        cluster_cidr: str,
        service_cidr: str,
        recorder: EventRecorder | None = None,
    ) -> None:
        self._cache = cache
        self._sessions = sessions
        self._cidrs = (cluster_cidr, service_cidr)
        self._recorder = recorder
        self._view = View(*self._cidrs)
        self._loaded = asyncio.Event()

    async def run(self) -> None:
        """Follows the cache until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_view(), name="desired state: view")
            group.create_task(self._end_sessions_of_deleted_nodes(), name="desired state: deleted nodes")

    async def _keep_view(self) -> None:
        while True:
            try:
                await self._follow()
            except Lagged:
                log.warning("fell behind the cache: every node gets a new snapshot")

    async def _end_sessions_of_deleted_nodes(self) -> None:
        """Ends the session of each deleted Node, so that its agent asks again and learns that it must clean up.

        The view's subscription merges changes: it does not see a Node that was created and deleted within one batch.
        """
        while True:
            with self._cache.subscribe(NODE) as subscription:
                for session in self._sessions.all():
                    if not session.removed and self._cache.entry(NODE, "", session.node) is None:
                        self._sessions.end_session(session.node, _DELETED)
                try:
                    async for batch in subscription:
                        for change in batch.changes:
                            if change.type == "DELETED":
                                # If the Node was created again meanwhile, the agent says Hello to the new one.
                                self._sessions.end_session(change.entry.name, _DELETED)
                except Lagged:
                    continue

    async def stream(self, session: Session) -> AsyncIterator[bytes]:
        """The session's encoded messages: a snapshot, then the changes. Raises Stale when the session ends."""
        wake = session.outbox.attach()
        await self._loaded.wait()
        while session.outbox.attached(wake):
            for message in session.outbox.take(self._view, session.node):
                yield message
            await wake.wait()
            wake.clear()
        raise Stale(f"session of node {session.node} has ended: {session.end_reason or 'another stream was opened'}")

    async def _follow(self) -> None:
        # Several changes of an object that wait become one: a batch is the state at its revision all the same.
        with self._cache.subscribe(*KINDS, latest=True) as subscription:
            view = View(*self._cidrs, on_unsendable=self._unsendable)
            revision = int(subscription.revision)
            async for obj in running_first(subscription.snapshot.entries()):
                view.put(obj)
            view.revision = revision
            self._view = view
            self._loaded.set()
            for session in self._sessions.all():
                session.outbox.restart()
            async for batch in subscription:
                self._mark(view.apply(int(batch.revision), batch.changes))

    def _mark(self, dirty: Dirty) -> None:
        """Visits only the sessions that the changes concern: with thousands of nodes, a pod's change concerns one."""
        for node, keys in dirty.nodes.items():
            if session := self._sessions.current(node):
                session.outbox.mark(keys)
        common = {slices: dirty.common(slices=slices) for slices in (False, True)} if dirty.shared else {}
        if any(common.values()):
            for session in self._sessions.all():
                if of_all := common[session.outbox.slices]:
                    session.outbox.mark(of_all)

    def _unsendable(self, obj: Object, problem: str) -> None:
        if self._recorder is not None:
            kind = next(kind for kind in KINDS if kind.kind == obj.kind)
            self._recorder.record(
                EVENT_SOURCE,
                involved=Involved.of(kind, obj),
                type="Warning",
                reason=REASON,
                message=f"not sent to nodes, which would refuse it: {problem}",
            )


async def running_first(entries: Iterable[Entry]) -> AsyncIterator[Object]:
    """The objects, with the pods that have never run at the end. Those that cannot be decoded are left out.

    Such a pod, which perhaps waited for space, must not take the space of one that runs: without that pod in its
    snapshot, an agent ends it.
    """
    # Not decoded: there may be very many.
    later: list[Entry] = []
    async for entry in paced(entries):
        obj = _read(entry)
        if isinstance(obj, Pod) and not has_run(obj.status):
            later.append(entry)
        elif obj is not None:
            yield obj
    async for entry in paced(later):
        obj = _read(entry)
        if obj is not None:
            yield obj


def _read(entry: Entry) -> Object | None:
    try:
        obj: Object = entry.read()
    except Unreadable:
        return None
    return obj
