"""FakeRuntime: the Runtime in memory, for tests. It behaves like an engine as far as the contract suite checks.

Owns containers, images and a registry as plain values, and methods for tests to end a container, fail a call or stop
the engine. The product does not use it.
"""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from agent.clock import Clock
from agent.model import LogOptions
from agent.runtime.accounts import Accounts
from agent.runtime.containers import ContainerSpec
from agent.runtime.errors import (
    CreateConflict,
    EngineGone,
    ImageNotFound,
    NoSuchContainer,
    NotRunning,
    PullDenied,
    RuntimeFault,
    StartRefused,
)
from agent.runtime.events import EventKind, RuntimeEvent
from agent.runtime.fakeprocess import FakeExec
from agent.runtime.images import Credentials, Pulled
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord, Listed
from agent.runtime.references import parse
from agent.runtime.sandboxes import SandboxSpec
from agent.runtime.versions import RuntimeVersion

_KILLED_BY_SIGNAL = 128
_SIGNALS = {"SIGTERM": 15, "SIGKILL": 9, "SIGUSR1": 10, "SIGQUIT": 3}


class FakeRuntime:
    """An engine in memory. `calls` lists (call, name) in order, for assertions."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.present: dict[str, str] = {}
        """The ids of the images that the engine has."""
        self.users: dict[str, str] = {}
        """The USER of images that have one."""
        self.accounts_in: dict[str, Accounts] = {}
        """The users and groups of images that have some."""
        self.archives: dict[str, bytes] = {}
        """The files of images, by their ids."""
        self.registry: dict[str, str] = {}
        self.accounts: dict[str, tuple[str, str]] = {}
        """User and password of images that need them."""
        self.own_credentials: set[str] = set()
        """The images that the host itself may pull."""
        self.tried: list[Credentials | None] = []
        """The credentials of all pulls."""
        self.records: dict[str, ContainerRecord] = {}
        self.specs: dict[str, ContainerSpec] = {}
        self.sandbox_specs: dict[str, SandboxSpec] = {}
        self.logs_asked: list[LogOptions] = []
        """The options of all logs that were read."""
        self.written: dict[str, list[bytes]] = defaultdict(list)
        self.ignores_term: set[str] = set()
        """Prefixes of the names of containers that ignore SIGTERM."""
        self.calls: list[tuple[str, str]] = []
        self.name = "docker"
        self.loses_events = False
        self._stuck: dict[str, asyncio.Event] = {}
        self._failures: dict[str, deque[RuntimeFault]] = defaultdict(deque)
        self._subscribers: list[asyncio.Queue[RuntimeEvent | None]] = []
        self._count = 0
        self.exec = FakeExec(self._check_running)

    # --- for tests -------------------------------------------------------------------------------------------------

    def fail_next(self, call: str, *errors: RuntimeFault) -> None:
        """Each of the next calls of that name raises one of these."""
        self._failures[call].extend(errors)

    def stick(self, call: str) -> asyncio.Event:
        """Calls of that name hang until the event is set; `call` may also be the call and what it is about."""
        self._stuck[call] = asyncio.Event()
        return self._stuck[call]

    def unstick(self, call: str) -> None:
        """New calls of that name work again; those that hang do so until their event is set."""
        del self._stuck[call]

    def end(self, container: str, exit_code: int, *, oom_killed: bool = False) -> None:
        """End the container's process."""
        record = self._find(container)
        if not record.running:
            return
        ended = replace(
            record,
            phase=ContainerPhase.EXITED,
            exit_code=exit_code,
            oom_killed=oom_killed,
            pid=0,
            finished_at=self._clock.wall(),
        )
        self.records[record.id] = ended
        self._publish(EventKind.DIED, ended)

    def revive(self, container: str) -> None:
        """Restart a container that has ended, as a person could."""
        started = replace(
            self._find(container), phase=ContainerPhase.RUNNING, pid=2000 + self._count, started_at=self._clock.wall()
        )
        self.records[started.id] = started
        self._publish(EventKind.STARTED, started)

    def drop_streams(self) -> None:
        """Close the engine's event streams."""
        for queue in self._subscribers:
            queue.put_nowait(None)

    def named(self, part: str) -> list[ContainerRecord]:
        """Containers with `part` in their name, sorted by name."""
        return sorted(
            (record for record in self.records.values() if part in record.name), key=lambda record: record.name
        )

    def write(self, container: str, *lines: bytes) -> None:
        """Add lines to the container's log."""
        self.written[self._find(container).id].extend(lines)

    # --- Runtime: containers, sandboxes and images in one object -----------------------------------------------------

    @property
    def containers(self) -> FakeRuntime:
        return self

    @property
    def sandboxes(self) -> FakeRuntime:
        return self

    @property
    def images(self) -> FakeRuntime:
        return self

    # --- Runtime ---------------------------------------------------------------------------------------------------

    async def version(self) -> RuntimeVersion:
        await self._called("version", "")
        return RuntimeVersion("fake", "1.0")

    async def create(self, spec: ContainerSpec | SandboxSpec) -> ContainerId:
        await self._called("create", spec.name)
        if any(record.name == spec.name for record in self.records.values()):
            raise CreateConflict(f"the name {spec.name} is taken")
        if spec.image not in self.present:
            raise ImageNotFound(f"no image {spec.image}")
        if isinstance(spec, ContainerSpec) and spec.join is not None:
            self._find(spec.join)
        self._count += 1
        record = ContainerRecord(
            id=ContainerId(f"{self._count:064x}"),
            name=spec.name,
            labels=dict(spec.labels),
            phase=ContainerPhase.CREATED,
            image=spec.image,
            image_id=self.present[spec.image],
            created_at=self._clock.wall(),
        )
        self.records[record.id] = record
        if isinstance(spec, SandboxSpec):
            self.sandbox_specs[record.id] = spec
        else:
            self.specs[record.id] = spec
        self._publish(EventKind.CREATED, record)
        return record.id

    async def start(self, container: ContainerId) -> None:
        record = self._find(container)
        try:
            await self._called("start", record.name)
        except StartRefused as error:
            self.records[record.id] = replace(
                record, phase=ContainerPhase.EXITED, exit_code=127, error=str(error), finished_at=0.0
            )
            raise
        if record.running:
            return
        started = replace(record, phase=ContainerPhase.RUNNING, pid=1000 + self._count, started_at=self._clock.wall())
        self.records[record.id] = started
        self._publish(EventKind.STARTED, started)

    async def signal(self, container: ContainerId, signal: str) -> None:
        record = self.records.get(container)
        await self._called("signal", f"{record.name if record else container} {signal}")
        if record is None or (
            signal != "SIGKILL" and any(record.name.startswith(prefix) for prefix in self.ignores_term)
        ):
            return
        self.end(container, _KILLED_BY_SIGNAL + _SIGNALS[signal])

    async def remove(self, container: ContainerId) -> None:
        record = self.records.get(container)
        await self._called("remove", record.name if record else container)
        if container not in self.records:
            return
        self.end(container, _KILLED_BY_SIGNAL + 9)
        self._publish(EventKind.DESTROYED, self.records.pop(container))

    async def inspect(self, container: str) -> ContainerRecord:
        await self._called("inspect", container)
        return self._find(container)

    async def list(self, labels: Mapping[str, str]) -> Sequence[ContainerRecord]:
        await self._called("list", "")
        return [record for record in self.records.values() if labels.items() <= record.labels.items()]

    async def overview(self, labels: Mapping[str, str]) -> Sequence[Listed]:
        await self._called("overview", "")
        records = [record for record in self.records.values() if labels.items() <= record.labels.items()]
        return [Listed(record.id, record.name, record.labels, record.phase) for record in records]

    async def id_of(self, image: str) -> str | None:
        await self._called("image_id", image)
        parse(image)
        return self.present.get(image)

    async def has(self, image_id: str) -> bool:
        await self._called("image_has", image_id)
        return image_id in self.present.values()

    async def user_of(self, image: str) -> str:
        await self._called("image_user", image)
        if image not in self.present:
            raise ImageNotFound(f'image "{image}" is not on the node')
        return self.users.get(image, "")

    async def accounts_of(self, image: str) -> Accounts:
        await self._called("accounts_of", image)
        if image not in self.present:
            raise ImageNotFound(f'image "{image}" is not on the node')
        return self.accounts_in.get(image, Accounts())

    async def export(self, image_id: str) -> AsyncGenerator[bytes, None]:
        await self._called("export", image_id)
        if image_id not in self.present.values():
            raise ImageNotFound(f"image {image_id} is not on the node")
        yield self.archives[image_id]

    async def pull(self, image: str, credentials: Credentials | None = None) -> Pulled:
        await self._called("pull", image)
        parse(image)
        self.tried.append(credentials)
        allowed = self.accounts.get(image)
        if credentials is None and image in self.own_credentials:
            allowed = None
        if allowed is not None and (credentials is None or (credentials.username, credentials.password) != allowed):
            raise PullDenied("unauthorized")
        if image not in self.registry:
            raise ImageNotFound(f"manifest for {image} not found")
        self.present[image] = self.registry[image]
        return Pulled(self.present[image], size_bytes=4321, took_s=1.5)

    async def has_own_credentials(self, image: str) -> bool:
        return image in self.own_credentials

    async def load(self, archive: bytes) -> None:
        await self._called("load", "")
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            manifest = json.loads(opened.extractfile("manifest.json").read())  # type: ignore[union-attr]
        for image in manifest:
            self.present.update(dict.fromkeys(image["RepoTags"], f"sha256:{image['Config']}"))

    async def logs(self, container: ContainerId, options: LogOptions) -> AsyncIterator[bytes]:
        self.logs_asked.append(options)
        lines = self.written[self._find(container).id]
        start = 0 if options.tail_lines is None else max(0, len(lines) - options.tail_lines)
        for line in lines[start:]:
            yield line

    def events(self, labels: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[RuntimeEvent]]:
        return self._events(labels)

    async def close(self) -> None:
        self.drop_streams()

    # --- inside ----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _events(self, labels: Mapping[str, str]) -> AsyncIterator[AsyncIterator[RuntimeEvent]]:
        await self._called("events", "")
        queue: asyncio.Queue[RuntimeEvent | None] = asyncio.Queue()
        self._subscribers.append(queue)
        try:
            yield self._stream(queue, labels)
        finally:
            self._subscribers.remove(queue)

    async def _stream(
        self, queue: asyncio.Queue[RuntimeEvent | None], labels: Mapping[str, str]
    ) -> AsyncIterator[RuntimeEvent]:
        while (event := await queue.get()) is not None:
            if event.kind is EventKind.IMAGES_CHANGED or labels.items() <= event.labels.items():
                yield event
        raise EngineGone("the fake engine closed the stream")

    async def _called(self, call: str, name: str) -> None:
        self.calls.append((call, name))
        await asyncio.sleep(0)
        stuck = self._stuck.get(call) or self._stuck.get(f"{call} {name}")
        if stuck is not None:
            await stuck.wait()
        if self._failures[call]:
            raise self._failures[call].popleft()

    def _find(self, container: str) -> ContainerRecord:
        for record in self.records.values():
            if container in (record.id, record.name):
                return record
        raise NoSuchContainer(f"no container {container}")

    def _check_running(self, container: str) -> None:
        if not self._find(container).running:
            raise NotRunning(f"container {container[:12]} is not running")

    def _publish(self, kind: EventKind, record: ContainerRecord) -> None:
        event = RuntimeEvent(kind, record.id, self._clock.wall(), record.labels, record.exit_code, record.oom_killed)
        for queue in () if self.loses_events else self._subscribers:
            queue.put_nowait(event)
