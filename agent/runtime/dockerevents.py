"""The engine's events as a stream.

Owns the subscription. Only takes what arrives: the engine drops a subscriber that is slow by 100 ms, so nothing here or
at the reader may ask the engine anything.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from agent.runtime.body import Body
from agent.runtime.client import EngineClient, Request
from agent.runtime.convert import EVENT_NAMES, event_from_json
from agent.runtime.errors import EngineGone
from agent.runtime.events import RuntimeEvent
from agent.runtime.faults import faults, readable

_OVERLAP_S: Final = 1
_WHAT: Final = "events"


@asynccontextmanager
async def subscribed(client: EngineClient, labels: Mapping[str, str]) -> AsyncIterator[AsyncIterator[RuntimeEvent]]:
    """Events of containers with these labels, and of images. The stream raises EngineGone at its end."""
    # The engine answers just before it subscribes: including the last second leaves no gap.
    since = int(time.time()) - _OVERLAP_S
    filters = {"type": ["container", "image"], "event": list(EVENT_NAMES)}
    request = Request("GET", "/events", _WHAT, parameters={"since": str(since), "filters": json.dumps(filters)})
    with faults(_WHAT):
        async with client.stream(request, answer_s=client.limits.call_s) as body:
            yield _typed(body, labels)


async def _typed(body: Body, labels: Mapping[str, str]) -> AsyncIterator[RuntimeEvent]:
    async for value in body.values():
        event = _event(value, labels)
        if event is not None:
            yield event
    raise EngineGone(f"{_WHAT}: the container engine closed the stream")


def _event(value: Any, labels: Mapping[str, str]) -> RuntimeEvent | None:
    with readable(_WHAT):
        return event_from_json(value, labels)
