"""What every Runtime does: the engine in memory (unit tests) and a real one (cluster tests) are held to it."""

from __future__ import annotations

import asyncio
import gc
import threading
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from agent.runtime import pause
from agent.runtime.errors import CreateConflict, ImageNotFound, NoSuchContainer, PullFailed
from agent.runtime.interface import (
    ContainerId,
    ContainerPhase,
    ContainerSpec,
    EventKind,
    Runtime,
    RuntimeEvent,
)


@dataclass
class Bed:
    """An engine, and the labels of what a test makes in it. `image` has a shell."""

    runtime: Runtime
    image: str
    labels: dict[str, str]

    def spec(self, name: str, **more: object) -> ContainerSpec:
        return ContainerSpec(f"{self.labels['test']}-{name}", self.image, self.labels, **more)  # type: ignore[arg-type]

    async def running(self, name: str) -> ContainerId:
        made = await self.runtime.create(self.spec(name, command=("sleep", "1000")))
        await self.runtime.start(made)
        return made


@asynccontextmanager
async def bed_of(runtime: Runtime, image: str) -> AsyncIterator[Bed]:
    """A test's own bed; what it made is removed, and the runtime closed."""
    made = Bed(runtime, image, {"test": f"contract-{uuid.uuid4().hex[:8]}"})
    try:
        yield made
        # The newest first: it may live in another's namespaces.
        for record in sorted(await runtime.list(made.labels), key=lambda each: -each.created_at):
            await runtime.remove(record.id)
    finally:
        await runtime.close()


class RuntimeContract:
    """Subclasses are collected; they give the fixture `bed`."""

    async def test_life_of_a_container(self, bed: Bed) -> None:
        made = await bed.runtime.create(bed.spec("a", command=("sleep", "1000")))
        assert (await bed.runtime.inspect(made)).phase is ContainerPhase.CREATED
        await bed.runtime.start(made)
        record = await bed.runtime.inspect(bed.spec("a").name)
        assert record.id == made and record.running and record.pid > 0 and record.started_at > 0
        assert bed.labels.items() <= record.labels.items() and record.image == bed.image
        assert record.image_id == await bed.runtime.image_id(bed.image)
        await bed.runtime.start(made)
        await bed.runtime.remove(made)
        with pytest.raises(NoSuchContainer):
            await bed.runtime.inspect(made)
        await bed.runtime.remove(made)

    async def test_the_agents_own_image_is_loaded_and_runs(self, bed: Bed) -> None:
        await bed.runtime.load(pause.archive())
        spec = replace(bed.spec("pause"), image=pause.REFERENCE)
        made = await bed.runtime.create(spec)
        await bed.runtime.start(made)
        record = await bed.runtime.inspect(made)
        assert record.running and record.image_id == await bed.runtime.image_id(pause.REFERENCE)
        async with bed.runtime.events(bed.labels) as events:
            await bed.runtime.signal(made, "SIGTERM")
            async for event in events:
                if event.kind is EventKind.DIED:
                    break
        assert not (await bed.runtime.inspect(made)).running

    async def test_removing_twice_at_once_ends_when_it_is_gone(self, bed: Bed) -> None:
        made = await bed.running("a")
        for removal in asyncio.as_completed([bed.runtime.remove(made) for _ in range(3)]):
            await removal
            with pytest.raises(NoSuchContainer):
                await bed.runtime.inspect(made)

    async def test_same_name_twice_is_a_conflict(self, bed: Bed) -> None:
        await bed.runtime.create(bed.spec("a"))
        with pytest.raises(CreateConflict):
            await bed.runtime.create(bed.spec("a"))

    async def test_join_needs_the_other(self, bed: Bed) -> None:
        with pytest.raises(NoSuchContainer):
            await bed.runtime.create(bed.spec("a", join=ContainerId("f" * 64)))
        sandbox = await bed.running("s")
        joined = await bed.runtime.create(bed.spec("a", join=sandbox, command=("sleep", "1000")))
        await bed.runtime.start(joined)
        assert (await bed.runtime.inspect(joined)).running

    async def test_what_has_ended_outlives_its_sandbox(self, bed: Bed) -> None:
        sandbox = await bed.running("s")
        joined = await bed.runtime.create(bed.spec("a", join=sandbox, command=("sleep", "1000")))
        await bed.runtime.start(joined)
        await bed.runtime.signal(joined, "SIGKILL")
        await bed.runtime.remove(sandbox)
        assert [each.id for each in await bed.runtime.list(bed.labels)] == [joined]
        await bed.runtime.remove(joined)
        assert await bed.runtime.list(bed.labels) == []

    async def test_list_is_by_labels(self, bed: Bed) -> None:
        await bed.runtime.create(bed.spec("a"))
        await bed.running("b")
        phases = {each.name[-1]: each.phase for each in await bed.runtime.list(bed.labels)}
        assert phases == {"a": ContainerPhase.CREATED, "b": ContainerPhase.RUNNING}
        assert await bed.runtime.list({**bed.labels, "other": "x"}) == []

    async def test_signal_ends_and_is_no_error_when_nothing_runs(self, bed: Bed) -> None:
        made = await bed.running("a")
        async with bed.runtime.events(bed.labels) as events:
            await bed.runtime.signal(made, "SIGKILL")
            died = await next_event(events, EventKind.DIED)
        assert died.id == made and died.exit_code == 137
        record = await bed.runtime.inspect(made)
        assert record.phase is ContainerPhase.EXITED and record.exit_code == 137 and record.finished_at > 0
        await bed.runtime.signal(made, "SIGTERM")
        await bed.runtime.signal(ContainerId("f" * 64), "SIGTERM")

    async def test_events_tell_a_life_and_only_of_these_labels(self, bed: Bed) -> None:
        async with bed.runtime.events(bed.labels) as events:
            foreign = ContainerSpec(f"{bed.labels['test']}-foreign", bed.image, {"test-foreign": "x"})
            other = await bed.runtime.create(foreign)
            made = await bed.running("a")
            await bed.runtime.remove(made)
            await bed.runtime.remove(other)
            # An engine tells again of a pull of a moment ago.
            of_containers = (each async for each in events if each.kind is not EventKind.IMAGES_CHANGED)
            seen = [await anext(of_containers) for _ in range(4)]
        assert [each.kind for each in seen] == [
            EventKind.CREATED,
            EventKind.STARTED,
            EventKind.DIED,
            EventKind.DESTROYED,
        ]
        assert {each.id for each in seen} == {made}
        assert all(bed.labels.items() <= each.labels.items() for each in seen)

    async def test_missing_images(self, bed: Bed) -> None:
        missing = f"nobody/{uuid.uuid4().hex}:1"
        assert await bed.runtime.image_id(missing) is None
        with pytest.raises(ImageNotFound):
            await bed.runtime.create(ContainerSpec(f"{bed.labels['test']}-x", missing, bed.labels))
        with pytest.raises((ImageNotFound, PullFailed)):
            await bed.runtime.pull(missing)

    async def test_version(self, bed: Bed) -> None:
        assert "://" in str(await bed.runtime.version())


def collect() -> None:
    """What a test dropped is collected now, while the test's own filters hold."""
    for thread in threading.enumerate():
        if thread.name.startswith("stream "):
            thread.join(10)
    gc.collect()


async def next_event(events: AsyncIterator[RuntimeEvent], kind: EventKind) -> RuntimeEvent:
    """The next event of that kind."""
    async with asyncio.timeout(30):
        async for event in events:
            if event.kind is kind:
                return event
    raise AssertionError("the stream ended")
