"""Signals to commands in containers, for which Docker's API has no call: by the pid in the host's namespace.

Owns the certainty that a signal reaches that command only. Commands are started by dockerexec.py.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import Any, Final

from agent.runtime.client import EngineClient, Request
from agent.runtime.errors import RuntimeFault
from agent.runtime.faults import process_faults
from agent.runtime.looks import waits

_FIRST_LOOK_S: Final = 0.02
_LOOKS: Final = 6
"""A command whose start was broken off may begin only now: it is looked for during 1 s."""


async def send(client: EngineClient, identity: str, sent: signal.Signals, *, within_s: float) -> None:
    """Signal the command of this exec, if it runs. Returns after `within_s` at the latest; raises nothing.

    The caller has given the command up already: an engine that hangs or is gone must not keep it waiting.
    """
    with suppress(RuntimeFault, OSError, TimeoutError):
        async with asyncio.timeout(within_s):
            if pid := await _begun(client, identity):
                await _signal(client, identity, pid, sent)


async def _begun(client: EngineClient, identity: str) -> int:
    """The command's pid once it has begun; 0: it has ended, or does not begin."""
    for wait_s in waits(_FIRST_LOOK_S, _LOOKS):
        answer = await _look(client, identity)
        if (pid := _running_pid(answer)) or answer.get("ExitCode") is not None:
            return pid
        await asyncio.sleep(wait_s)
    return 0


async def _signal(client: EngineClient, identity: str, pid: int, sent: signal.Signals) -> None:
    descriptor = os.pidfd_open(pid)
    try:
        # If the command still runs, the descriptor is of it: its pid cannot have been reused before.
        if _running_pid(await _look(client, identity)) == pid:
            signal.pidfd_send_signal(descriptor, sent)
    finally:
        os.close(descriptor)


async def _look(client: EngineClient, identity: str) -> dict[str, Any]:
    request = Request("GET", f"/exec/{identity}/json", "inspect a command")
    with process_faults(request.what):
        answer: dict[str, Any] = await client.call(request, at_once=True)
    return answer


def _running_pid(answer: dict[str, Any]) -> int:
    return int(answer.get("Pid") or 0) if answer.get("Running") else 0
