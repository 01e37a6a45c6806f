"""Follows the cache and sends each session the changes for its node.

Owns the view and the subscription that updates it, and serves the sessions' Desired streams from the view. After a
subscription has lagged, it subscribes again and every node gets a snapshot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from master.cache import Cache, Lagged
from master.dispatch.errors import Stale
from master.dispatch.sessions import Session, Sessions
from master.dispatch.view import KINDS, View
from master.kinds import NODE

_DELETED = "the Node was deleted"

log = logging.getLogger(__name__)


class DesiredState:
    """The source of all Desired streams."""

    def __init__(self, cache: Cache, sessions: Sessions, *, cluster_cidr: str, service_cidr: str) -> None:
        self._cache = cache
        self._sessions = sessions
        self._cidrs = (cluster_cidr, service_cidr)
        self._view = View(*self._cidrs)
        self._loaded = asyncio.Event()

    async def run(self) -> None:
        """Follows the cache until cancelled."""
        while True:
            try:
                await self._follow()
            except Lagged:
                log.warning("fell behind the cache: every node gets a new snapshot")

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
        with self._cache.subscribe(*KINDS) as subscription:
            view = View(*self._cidrs)
            view.load(int(subscription.revision), subscription.snapshot)
            self._view = view
            self._loaded.set()
            for session in self._sessions.all():
                # The deletion of its Node may be among the missed changes.
                if not session.removed and self._cache.get(NODE, "", session.node) is None:
                    self._sessions.end_session(session.node, _DELETED)
                session.outbox.restart()
            async for batch in subscription:
                dirty = view.apply(int(batch.revision), batch.changes)
                for change in batch.changes:
                    if change.kind is NODE and change.type == "DELETED":
                        self._sessions.end_session(change.obj.metadata.name, _DELETED)
                for session in self._sessions.all():
                    keys = dirty.shared | dirty.nodes.get(session.node, set())
                    if keys:
                        session.outbox.mark(keys)
