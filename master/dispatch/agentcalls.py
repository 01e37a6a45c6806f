"""The call of an agent that carries a stream, and the wait until the agent has opened it."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from master.dispatch.sessions import Session
from proto.gen import session_pb2

OPEN_TIMEOUT_S: Final = 10.0
"""Far more than a live agent needs to open a stream, which is milliseconds."""


class AgentCall(Protocol):
    """A Stream call of an agent."""

    async def read(self) -> session_pb2.StreamUp | None:
        """The next message; None at the end."""

    async def send(self, message: session_pb2.StreamDown) -> None:
        """Sends one message."""


async def why_unanswered(session: Session, opened: asyncio.Event, *, timeout_s: float) -> str:
    """Waits until the agent has opened a stream. Returns why it has not; empty if it has.

    A session that has ended never carries out what it was asked.
    """
    events = [asyncio.ensure_future(event.wait()) for event in (opened, session.ended)]
    try:
        await asyncio.wait(events, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for event in events:
            event.cancel()
    if opened.is_set():
        return ""
    if session.ended.is_set():
        return f"has lost its session ({session.end_reason})"
    return f"did not answer within {timeout_s:g} s"
