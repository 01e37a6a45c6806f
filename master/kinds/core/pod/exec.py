"""The subresources `exec` and `attach` of pods: a process in a container, connected with a client."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from aiohttp import web

from master.api.errors import ApiError, BadRequest
from master.api.remote.channels import Event, Input, InputEnd, ended, failed
from master.api.remote.spdyclients import PROTOCOLS, SpdyClient, StreamType
from master.api.remote.tasks import end_tasks
from master.api.remote.upgrades import is_spdy, negotiate
from master.api.remote.websockets import WebSocketClient, is_websocket
from master.api.rest.call import Call
from master.api.rest.query import Query
from master.cache import Entry
from master.kinds.core.pod.log import log_container
from master.kinds.core.pod.members import all_containers
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.processes import Processes, ProcessOptions, ProcessStream


class Client(Protocol):
    """A connected client, by whichever transport."""

    @property
    def response(self) -> web.StreamResponse: ...
    async def accept(self, request: web.BaseRequest) -> None: ...
    async def read(self) -> Event | None: ...
    async def write(self, channel: int, data: bytes) -> None: ...
    async def finish(self, status: bytes) -> None: ...
    async def aclose(self) -> None: ...


def process_options(query: Query, *, command: bool) -> ProcessOptions:
    """The options in the query of exec (`command`) or attach. Raises BadRequest, with Kubernetes' rules.

    A terminal has no stderr of its own: like the kubelet, we leave it out if a client wants both.
    """
    tty = query.flag("tty")
    options = ProcessOptions(
        command=tuple(query.texts("command")) if command else (),
        stdin=query.flag("stdin"),
        stdout=query.flag("stdout"),
        stderr=query.flag("stderr") and not tty,
        tty=tty,
    )
    if command and not options.command:
        raise BadRequest("you must specify at least 1 command for the container")
    if not (options.stdin or options.stdout or options.stderr):
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    return options


def client_of(request: web.BaseRequest, options: ProcessOptions) -> Client:
    """A client by the transport that the request asks for. Raises BadRequest, Forbidden."""
    if is_websocket(request):
        return WebSocketClient()
    if not is_spdy(request):
        raise BadRequest("Upgrade request required: the server supports websockets and SPDY/3.1")
    wanted = {
        StreamType.STDIN: options.stdin,
        StreamType.STDOUT: options.stdout,
        StreamType.STDERR: options.stderr,
        StreamType.RESIZE: options.tty,
    }
    return SpdyClient(negotiate(request, PROTOCOLS), frozenset(kind for kind, is_wanted in wanted.items() if is_wanted))


class PodProcess:
    """Connects a client with a process: a new one (`exec`), or the container's main process (`attach`)."""

    def __init__(self, processes: Processes, *, command: bool) -> None:
        self._processes = processes
        self._command = command

    async def connect(self, call: Call, entry: Entry) -> web.StreamResponse:
        """Raises ApiError only before the upgrade; later errors are a Status on the error channel."""
        pod: Pod = entry.obj
        options = process_options(call.query, command=self._command)
        container = log_container(pod, call.query.text("container"))
        meta = pod.metadata
        if not pod.spec.node_name:
            raise BadRequest(f"pod {meta.name} does not have a host assigned")
        client = client_of(call.http, options)
        if not self._command:
            # A process that runs has the terminal of its container, or none.
            options = replace(options, tty=has_terminal(pod, container))
        opening = self._processes.open(pod.spec.node_name, meta.namespace, meta.name, meta.uid, container, options)
        async with opening as stream, aclosing(client):
            await client.accept(call.http)
            await carry(client, stream)
            return client.response


def has_terminal(pod: Pod, name: str) -> bool:
    """Whether the container of this name has a terminal by its spec."""
    return any(each.tty for each in all_containers(pod.spec) if each.name == name)


async def carry(client: Client, stream: ProcessStream) -> None:
    """Until the process's output has ended, or the client has gone away. Raises ConnectionError for the latter."""
    feeding = asyncio.create_task(_feed(client, stream), name="input of a process")
    output = asyncio.create_task(_output(client, stream), name="output of a process")
    try:
        await asyncio.wait({feeding, output}, return_when=asyncio.FIRST_COMPLETED)
        if not output.done():
            feeding.result()
            return
        # A websocket has one reader: the end of the connection is read by `finish`.
        feeding.cancel()
        await asyncio.wait({feeding})
        await client.finish(output.result())
    finally:
        await end_tasks({feeding, output})


async def _feed(client: Client, stream: ProcessStream) -> None:
    """Pass on all that the client sends, until it goes away. Older clients say so that no more follows."""
    while (event := await client.read()) is not None:
        match event:
            case Input():
                await stream.write(event.data)
            case InputEnd():
                await stream.close_input()
            case _:
                await stream.resize(width=event.width, height=event.height)
    await stream.close_input()


async def _output(client: Client, stream: ProcessStream) -> bytes:
    """Pass on the output to its end. Returns the Status of the end."""
    try:
        while (piece := await stream.read()) is not None:
            await client.write(*piece)
    except ApiError as error:
        return failed(error)
    return ended(stream.exit_code)
