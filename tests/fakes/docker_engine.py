"""A Docker engine's API on a Unix socket, in this process, with the faults of engines: it hangs, fails, talks nonsense.

Owns containers as inspect answers. Only what the agent's client asks for; no process ever runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

LABELS = {"test": "fake"}
Failure = Callable[[web.Request], web.StreamResponse | None]


def frame(channel: int, data: bytes) -> bytes:
    """A frame of the engine's stream format."""
    return struct.pack(">BxxxL", channel, len(data)) + data


class FakeEngine:
    """The engine. Its attributes are for tests to set and to look at."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.minimum_version = "1.24"
        self.components: list[dict[str, str]] = [{"Name": "Engine", "Version": "20.10.24"}]
        self.containers: dict[str, dict[str, Any]] = {}
        self.images = {"web:1": {"Id": "sha256:web", "Config": {"User": "app"}}}
        self.registry: dict[str, list[object]] = {}
        """The lines of a pull by the name of its image; None as a line: it hangs from there on."""
        self.logs: list[bytes | None] = []
        """Pieces of every log; None: the engine dies there."""
        self.hangs: Callable[[web.Request], bool] = lambda request: False
        self.fails: Failure = lambda request: None
        """An answer in place of the work."""
        self.fails_late: Failure = lambda request: None
        """An answer after the work, in place of the right one."""
        self.output = frame(1, b"done\n")
        """What a command writes before it ends with the code 3."""
        self.files: dict[str, bytes] = {}
        """The archives of files in all containers, by path."""
        self.exported: list[bytes | None] = []
        """The files of every container, in pieces; None: it hangs there."""
        self.delay_s = 0.0
        """How long each answer takes."""
        self.loses_events = False
        self.requests: list[str] = []
        """Method and path of each request, without the version of the API."""
        self.made: list[str] = []
        """The names of all containers that were ever created."""
        self.hung = asyncio.Semaphore(0)
        """Released by each request that begins to hang."""
        self.broken_off: asyncio.Queue[str] = asyncio.Queue()
        """Requests that hung and whose client has gone."""
        self.headers: dict[str, str] = {}
        self._made = 0
        self._subscribers: list[asyncio.Queue[dict[str, Any] | None]] = []
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Serve on the socket."""
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.socket)).start()

    async def stop(self) -> None:
        """Close all connections, and remove the socket."""
        for queue in self._subscribers:
            queue.put_nowait(None)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def add(self, name: str, *, status: str = "running", labels: dict[str, str] | None = None) -> str:
        """A container that the engine has; returns its id."""
        self._made += 1
        made = f"{self._made:064x}"
        self.containers[made] = {
            "Id": made,
            "Name": f"/{name}",
            "Created": "2026-01-02T03:04:05.5Z",
            "Image": "sha256:web",
            "Config": {"Image": "web:1", "Labels": labels or dict(LABELS), "Tty": False},
            "State": {"Status": status, "Running": status == "running", "Pid": 7, "StartedAt": "2026-01-02T03:04:06Z"},
        }
        return made

    def set_status(self, container: str, status: str, exit_code: int = 0) -> None:
        """Change a container's state."""
        state = self.containers[container]["State"]
        state |= {"Status": status, "Running": status == "running", "ExitCode": exit_code}

    def publish(self, action: str, container: str) -> None:
        """Send an event, unless events are lost."""
        labels = self.containers[container]["Config"]["Labels"] if container in self.containers else LABELS
        event = {"Type": "container", "Action": action, "Actor": {"ID": container, "Attributes": labels}, "timeNano": 5}
        if not self.loses_events:
            for queue in self._subscribers:
                queue.put_nowait(event)

    @property
    def unread_events(self) -> int:
        """Events that wait for slow subscribers."""
        return sum(queue.qsize() for queue in self._subscribers)

    def drop_subscribers(self) -> None:
        """End the event streams."""
        for queue in self._subscribers:
            queue.put_nowait(None)

    # --- the API ---------------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        version, path = self._split(request.path)
        self.requests.append(f"{request.method} {path}")
        await asyncio.sleep(self.delay_s)
        if self.hangs(request):
            await self._hang(f"{request.method} {path}")
        failure = self.fails(request)
        if failure is not None:
            return failure
        answer = await self._answer(request, version, path)
        return self.fails_late(request) or answer

    async def _answer(self, request: web.Request, version: str, path: str) -> web.StreamResponse:
        if path == "/version":
            return web.json_response(
                {"Version": "20.10.24", "MinAPIVersion": self.minimum_version, "Components": self.components}
            )
        if version and _number(version) < _number(self.minimum_version):
            text = f"client version {version} is too old. Minimum supported API version is {self.minimum_version}"
            return _error(400, text)
        if path == "/events":
            return await self._events(request)
        kind, _, rest = path.strip("/").partition("/")
        if kind == "images":
            return await self._image(request, rest)
        if kind == "exec":
            return self._process(request, rest)
        return await self._container(request, rest)

    async def _container(self, request: web.Request, rest: str) -> web.StreamResponse:
        if rest == "json":
            return web.json_response([self._entry(each) for each in self.containers.values()])
        if rest == "create":
            return await self._create(request)
        name, _, call = rest.partition("/")
        found = next((each for each in self.containers.values() if name in (each["Id"], each["Name"][1:])), None)
        if found is None:
            return _error(404, f"No such container: {name}")
        if call == "json":
            return web.json_response(found)
        if call == "export":
            return await self._export(request)
        if call == "archive":
            archive = self.files.get(request.query["path"])
            if archive is None:
                return _error(404, f"Could not find the file {request.query['path']} in container {name}")
            return web.Response(body=archive)
        if call == "exec":
            state = found["State"]["Running"]
            return web.json_response({"Id": "command"}, status=201) if state else _error(409, "it is not running")
        if call == "logs":
            return await self._logs(request)
        self._change(request.method, call, found)
        return web.Response(status=204)

    async def _export(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for piece in self.exported:
            if piece is None:
                await self._hang("export")
                break
            await answer.write(piece)
        return answer

    def _change(self, method: str, call: str, container: dict[str, Any]) -> None:
        made = container["Id"]
        if method == "DELETE":
            del self.containers[made]
            self.publish("destroy", made)
        elif call == "start":
            self.set_status(made, "running")
            self.publish("start", made)
        elif call == "kill":
            self.set_status(made, "exited", 137)
            self.publish("die", made)

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if body["Image"] not in {*self.images, *(each["Id"] for each in self.images.values())}:
            return _error(404, f"No such image: {body['Image']}")
        if any(each["Name"] == f"/{request.query['name']}" for each in self.containers.values()):
            return _error(409, f"Conflict. The container name {request.query['name']} is already in use")
        self.made.append(request.query["name"])
        made = self.add(request.query["name"], status="created", labels=body.get("Labels"))
        self.publish("create", made)
        return web.json_response({"Id": made}, status=201)

    def _process(self, request: web.Request, rest: str) -> web.StreamResponse:
        if rest.endswith("/start"):
            assert request.transport is not None
            request.transport.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")  # type: ignore[attr-defined]
            request.transport.write(self.output)  # type: ignore[attr-defined]
            request.transport.close()
        return web.json_response({"Running": False, "ExitCode": 3})

    async def _image(self, request: web.Request, rest: str) -> web.StreamResponse:
        if rest == "create":
            return await self._pull(request)
        image = self.images.get(rest.removesuffix("/json"))
        return web.json_response(image) if image else _error(404, f"No such image: {rest.removesuffix('/json')}")

    async def _pull(self, request: web.Request) -> web.StreamResponse:
        self.headers = dict(request.headers)
        image = f"{request.query['fromImage']}:{request.query['tag']}"
        answer = web.StreamResponse()
        await answer.prepare(request)
        for line in self.registry.get(image, [{"error": f"manifest for {image} not found: manifest unknown"}]):
            if line is None:
                await self._hang(f"pull {image}")
            await answer.write(json.dumps(line).encode() + b"\r\n")
            if isinstance(line, dict) and "error" in line:
                return answer
        self.images[image] = {"Id": f"sha256:{image}", "Config": {}, "Size": 4321}
        return answer

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for piece in self.logs:
            if piece is None:
                assert request.transport is not None
                request.transport.close()
                return answer
            await answer.write(piece)
        return answer

    async def _events(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._subscribers.append(queue)
        try:
            with contextlib.suppress(ConnectionError):
                while (event := await queue.get()) is not None:
                    await answer.write(json.dumps(event).encode() + b"\n")
            return answer
        finally:
            self._subscribers.remove(queue)

    async def _hang(self, what: str) -> None:
        self.hung.release()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.broken_off.put_nowait(what)
            raise

    def _entry(self, container: dict[str, Any]) -> dict[str, Any]:
        state = container["State"]["Status"]
        return {
            "Id": container["Id"],
            "Names": [container["Name"]],
            "Image": container["Config"]["Image"],
            "ImageID": container["Image"],
            "Created": 1767323045,
            "Labels": container["Config"]["Labels"],
            "State": state,
            "Status": "Exited (137) 2 minutes ago" if state == "exited" else "Up 2 minutes",
        }

    def _split(self, path: str) -> tuple[str, str]:
        first, _, rest = path.strip("/").partition("/")
        return (first[1:], f"/{rest}") if first[:1] == "v" and first[1:2].isdigit() else ("", path)


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@asynccontextmanager
async def serving(socket: Path) -> AsyncIterator[FakeEngine]:
    """An engine on the socket during the block."""
    engine = FakeEngine(socket)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()
