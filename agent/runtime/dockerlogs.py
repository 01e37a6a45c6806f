"""Reads logs of containers from the engine.

Owns their form: framed, or as it is for a container with a terminal. An engine that dies in the middle is an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from agent.model import LogOptions
from agent.runtime.client import EngineClient, Request
from agent.runtime.errors import EngineFault, EngineGone
from agent.runtime.faults import faults, readable
from agent.runtime.frames import FrameError, Frames
from agent.runtime.looks import waits
from agent.runtime.records import ContainerId

_FIRST_LOOK_S: Final = 0.05
_LOOKS: Final = 7
"""An engine may record a container's end after the end of its log: it is asked for up to 3 s."""


async def read_log(client: EngineClient, container: ContainerId, options: LogOptions) -> AsyncIterator[bytes]:
    """The log in pieces; does not read ahead. A followed log ends with its container. Raises RuntimeFault."""
    what = f"logs {container[:12]}"
    with faults(what):
        framed, _ = await _looked(client, container, what)
        async with client.stream(_request(container, options, what), answer_s=client.limits.call_s) as body:
            frames = Frames()
            async with aclosing(body.pieces()) as pieces:
                async for piece in pieces:
                    output = _decoded(frames, piece, what) if framed else piece
                    if output:
                        yield output
        if frames.inside:
            raise EngineGone(f"{what}: the container engine broke off")
        if options.follow:
            await _check_ended(client, container, what)


def _request(container: ContainerId, options: LogOptions, what: str) -> Request:
    parameters = {
        "stdout": "1",
        "stderr": "1",
        "follow": str(int(options.follow)),
        "timestamps": str(int(options.timestamps)),
        "tail": "all" if options.tail_lines is None else str(options.tail_lines),
    }
    if options.since_at:
        parameters["since"] = f"{options.since_at:.9f}"
    return Request("GET", f"/containers/{container}/logs", what, parameters=parameters)


def _decoded(frames: Frames, piece: bytes, what: str) -> bytes:
    try:
        return b"".join(output for _, output in frames.feed(piece))
    except FrameError as error:
        raise EngineFault(f"{what}: {error}") from error


async def _looked(client: EngineClient, container: ContainerId, what: str) -> tuple[bool, bool]:
    """Whether the container's output is framed, and whether it runs."""
    answer = await client.call(Request("GET", f"/containers/{container}/json", what))
    with readable(what):
        return not answer["Config"].get("Tty"), bool(answer["State"].get("Running"))


async def _check_ended(client: EngineClient, container: ContainerId, what: str) -> None:
    """An engine that stops in good order ends its answers as if they were complete. Raises RuntimeFault then."""
    for wait_s in waits(_FIRST_LOOK_S, _LOOKS):
        _, running = await _looked(client, container, what)
        if not running:
            return
        await asyncio.sleep(wait_s)
    raise EngineGone(f"{what}: the container engine ended the log of a container that runs")
