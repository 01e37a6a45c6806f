"""Carries out probes and hooks: chooses the way by the handler, and holds the time limit.

Owns the meaning of errors: what the container did is a failure, what prevented the probe is an error.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from typing import assert_never

from agent.clock import Clock
from agent.handlers import GrpcCheck, Handler, HttpGet, RunCommand, Sleep, TcpConnect, UnknownAction
from agent.probes import grpchealth, http, httpget
from agent.probes.interface import PASSED, Result, Target, error, failure
from agent.probes.sockets import connect, reason
from agent.runtime.errors import RuntimeFault, TimedOut
from agent.runtime.process import Exec

_LOG = logging.getLogger(__name__)


class NodeProber:
    """Probes and hooks by the node's network and the container engine."""

    def __init__(self, commands: Exec, clock: Clock) -> None:
        self._commands = commands
        self._clock = clock

    async def probe(self, handler: Handler, target: Target, *, timeout_s: float) -> Result:
        try:
            return await self._probe(handler, target, timeout_s)
        except Exception as problem:  # noqa: BLE001 - the boundary of a probe; a bug in it must not end its pod
            return error(_logged("probe", target, problem))

    async def hook(self, handler: Handler, target: Target, *, timeout_s: float) -> str:
        try:
            return await self._hook(handler, target, timeout_s)
        except Exception as problem:  # noqa: BLE001 - as above
            return _logged("hook", target, problem)

    async def _hook(self, handler: Handler, target: Target, timeout_s: float) -> str:
        match handler:
            case HttpGet():
                return await self._http_hook(handler, target, timeout_s)
            case RunCommand():
                return (await self._command(handler, target, timeout_s)).problem
            case Sleep():
                await self._clock.sleep(min(handler.seconds, timeout_s))
                return ""
            case TcpConnect():
                return "tcpSocket is not supported in hooks"
            case GrpcCheck() | UnknownAction():
                return "this action is not supported in hooks"
            case _:
                assert_never(handler)

    async def _probe(self, handler: Handler, target: Target, timeout_s: float) -> Result:
        match handler:
            case HttpGet() | TcpConnect() if not handler.port:
                return error(f'the container has no port with the name "{handler.port_name}"')
            case HttpGet():
                return await self._http(handler, target, timeout_s)
            case TcpConnect():
                return await _tcp(handler, handler.host or target.address, timeout_s)
            case GrpcCheck():
                return await grpchealth.probe(handler, target.address, timeout_s=timeout_s)
            case RunCommand():
                return await self._command(handler, target, timeout_s)
            case Sleep() | UnknownAction():
                return error("this action is not supported in probes")
            case _:
                assert_never(handler)

    async def _http(self, action: HttpGet, target: Target, timeout_s: float) -> Result:
        try:
            async with asyncio.timeout(timeout_s):
                return await httpget.probe(action, target.address)
        except TimeoutError:
            url = httpget.url_of(action, target.address)
            return failure(f'Get "{url}": context deadline exceeded (no answer within {timeout_s:g}s)')

    async def _http_hook(self, action: HttpGet, target: Target, timeout_s: float) -> str:
        if not action.port:
            return f'the container has no port with the name "{action.port_name}"'
        try:
            async with asyncio.timeout(timeout_s):
                await _call(action, target.address)
        except TimeoutError:
            return f"no answer within {timeout_s:g}s"
        except (httpget.HttpFailure, http.InvalidRequest) as problem:
            return f'Get "{httpget.url_of(action, target.address)}": {problem}'
        return ""

    async def _command(self, action: RunCommand, target: Target, timeout_s: float) -> Result:
        try:
            ended = await self._commands.run(target.container, action.argv, timeout_s=timeout_s)
        except TimedOut as problem:
            return failure(str(problem))
        except RuntimeFault as problem:
            return error(str(problem))
        if ended.exit_code == 0:
            return PASSED
        return failure(ended.output.decode(errors="replace") or f"exit code {ended.exit_code}")


async def _call(action: HttpGet, address: str) -> None:
    """Call a hook. As in the kubelet, a server that lacks TLS is called without it, and without credentials."""
    try:
        await httpget.get(action, address)
    except httpget.PlainServer:
        headers = tuple(header for header in action.headers if header[0].lower() != "authorization")
        await httpget.get(replace(action, https=False, headers=headers), address)


def _logged(what: str, target: Target, problem: Exception) -> str:
    """The text of an unexpected error."""
    _LOG.error("%s of container %s failed", what, target.container[:12], exc_info=problem)
    return str(problem) or type(problem).__name__


async def _tcp(action: TcpConnect, host: str, timeout_s: float) -> Result:
    where = f"dial tcp {host}:{action.port}"
    try:
        async with asyncio.timeout(timeout_s):
            connection = await connect(host, action.port)
    except TimeoutError:
        return failure(f"{where}: i/o timeout")
    except OSError as problem:
        return failure(f"{where}: connect: {reason(problem)}")
    with suppress(OSError):
        connection.close()
    return PASSED
