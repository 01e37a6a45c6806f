"""The contract of every Runtime; run with the engine in memory (unit tests) and a real one (cluster tests)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from agent.runtime import pause
from agent.runtime.containers import ContainerSpec
from agent.runtime.errors import CreateConflict, ImageNotFound, InvalidImageName, NoSuchContainer, PullFailed
from agent.runtime.events import EventKind, RuntimeEvent
from agent.runtime.interface import Runtime
from agent.runtime.records import ContainerId, ContainerPhase
from agent.runtime.sandboxes import SandboxSpec


@dataclass
class Bed:
    """An engine, and the labels of a test's containers. `image` has a shell."""

    runtime: Runtime
    image: str
    labels: dict[str, str]

    def spec(self, name: str, **more: object) -> ContainerSpec:
        return ContainerSpec(f"{self.labels['test']}-{name}", self.image, self.labels, **more)  # type: ignore[arg-type]

    async def running(self, name: str) -> ContainerId:
        made = await self.runtime.containers.create(self.spec(name, command=("sleep", "1000")))
        await self.runtime.containers.start(made)
        return made


@asynccontextmanager
async def bed_of(runtime: Runtime, image: str) -> AsyncIterator[Bed]:
    """A bed for one test; at the end its containers are removed, and the runtime is closed."""
    made = Bed(runtime, image, {"test": f"contract-{uuid.uuid4().hex[:8]}"})
    try:
        yield made
        # The newest first: it may use the namespaces of an older one.
        for record in sorted(await runtime.list(made.labels), key=lambda record: -record.created_at):
            await runtime.containers.remove(record.id)
    finally:
        await runtime.close()


class RuntimeContract:
    """pytest collects the subclasses, which define the fixture `bed`."""

    async def test_life_of_a_container(self, bed: Bed) -> None:
        made = await bed.runtime.containers.create(bed.spec("a", command=("sleep", "1000")))
        assert (await bed.runtime.containers.inspect(made)).phase is ContainerPhase.CREATED
        await bed.runtime.containers.start(made)
        record = await bed.runtime.containers.inspect(bed.spec("a").name)
        assert record.id == made and record.running and record.pid > 0 and record.started_at > 0
        assert bed.labels.items() <= record.labels.items() and record.image == bed.image
        assert record.image_id == await bed.runtime.images.id_of(bed.image)
        assert await bed.runtime.images.has(record.image_id)
        assert not await bed.runtime.images.has("sha256:" + "0" * 64)
        assert await bed.runtime.images.user_of(bed.image) == ""
        await bed.runtime.containers.start(made)
        await bed.runtime.containers.remove(made)
        with pytest.raises(NoSuchContainer):
            await bed.runtime.containers.inspect(made)
        await bed.runtime.containers.remove(made)

    async def test_the_agents_pause_image_is_loaded_and_runs(self, bed: Bed) -> None:
        await bed.runtime.images.load(pause.archive())
        spec = replace(bed.spec("pause"), image=pause.REFERENCE)
        made = await bed.runtime.containers.create(spec)
        await bed.runtime.containers.start(made)
        record = await bed.runtime.containers.inspect(made)
        assert record.running and record.image_id == await bed.runtime.images.id_of(pause.REFERENCE)
        async with bed.runtime.events(bed.labels) as events:
            await bed.runtime.containers.signal(made, "SIGTERM")
            async for event in events:
                if event.kind is EventKind.DIED:
                    break
        assert not (await bed.runtime.containers.inspect(made)).running

    async def test_concurrent_removals_return_when_the_container_is_gone(self, bed: Bed) -> None:
        made = await bed.running("a")
        for removal in asyncio.as_completed([bed.runtime.containers.remove(made) for _ in range(3)]):
            await removal
            with pytest.raises(NoSuchContainer):
                await bed.runtime.containers.inspect(made)

    async def test_a_name_in_use_is_a_conflict(self, bed: Bed) -> None:
        await bed.runtime.containers.create(bed.spec("a"))
        with pytest.raises(CreateConflict):
            await bed.runtime.containers.create(bed.spec("a"))

    async def test_joining_a_missing_container_fails(self, bed: Bed) -> None:
        with pytest.raises(NoSuchContainer):
            await bed.runtime.containers.create(bed.spec("a", join=ContainerId("f" * 64)))
        sandbox = await bed.running("s")
        joined = await bed.runtime.containers.create(bed.spec("a", join=sandbox, command=("sleep", "1000")))
        await bed.runtime.containers.start(joined)
        assert (await bed.runtime.containers.inspect(joined)).running

    async def test_life_of_a_sandbox(self, bed: Bed) -> None:
        sandboxes = bed.runtime.sandboxes
        await bed.runtime.images.load(pause.archive())
        spec = SandboxSpec(f"{bed.labels['test']}-s", pause.REFERENCE, bed.labels, hostname="box")
        made = await sandboxes.create(spec)
        with pytest.raises(CreateConflict):
            await sandboxes.create(spec)
        await sandboxes.start(made)
        record = await sandboxes.inspect(spec.name)
        # Podman adds the registry's name.
        assert record.id == made and record.image.endswith(pause.REFERENCE)
        assert record.running and record.pid > 0
        joined = await bed.runtime.containers.create(bed.spec("a", join=made, command=("sleep", "1000")))
        await bed.runtime.containers.start(joined)
        assert {each.id for each in await bed.runtime.list(bed.labels)} == {made, joined}
        await bed.runtime.containers.remove(joined)
        await sandboxes.remove(made)
        with pytest.raises(NoSuchContainer):
            await sandboxes.inspect(made)
        await sandboxes.remove(made)

    async def test_an_ended_container_outlives_its_sandbox(self, bed: Bed) -> None:
        sandbox = await bed.running("s")
        joined = await bed.runtime.containers.create(bed.spec("a", join=sandbox, command=("sleep", "1000")))
        await bed.runtime.containers.start(joined)
        await bed.runtime.containers.signal(joined, "SIGKILL")
        await bed.runtime.containers.remove(sandbox)
        assert [record.id for record in await bed.runtime.list(bed.labels)] == [joined]
        await bed.runtime.containers.remove(joined)
        assert await bed.runtime.list(bed.labels) == []

    async def test_containers_are_listed_by_labels(self, bed: Bed) -> None:
        await bed.runtime.containers.create(bed.spec("a"))
        await bed.running("b")
        phases = {record.name[-1]: record.phase for record in await bed.runtime.list(bed.labels)}
        assert phases == {"a": ContainerPhase.CREATED, "b": ContainerPhase.RUNNING}
        overview = await bed.runtime.overview(bed.labels)
        assert {each.name[-1]: each.phase for each in overview} == phases
        assert all(bed.labels.items() <= each.labels.items() for each in overview)
        records = {record.id: record.name for record in await bed.runtime.list(bed.labels)}
        assert {each.id: each.name for each in overview} == records
        assert await bed.runtime.list({**bed.labels, "other": "x"}) == []

    async def test_a_signal_ends_a_container_and_is_ignored_when_it_is_not_running(self, bed: Bed) -> None:
        made = await bed.running("a")
        async with bed.runtime.events(bed.labels) as events:
            await bed.runtime.containers.signal(made, "SIGKILL")
            died = await next_event(events, EventKind.DIED)
        assert died.id == made and died.exit_code == 137
        record = await bed.runtime.containers.inspect(made)
        assert record.phase is ContainerPhase.EXITED and record.exit_code == 137 and record.finished_at > 0
        await bed.runtime.containers.signal(made, "SIGTERM")
        await bed.runtime.containers.signal(ContainerId("f" * 64), "SIGTERM")

    async def test_events_cover_a_containers_life_and_are_filtered_by_labels(self, bed: Bed) -> None:
        async with bed.runtime.events(bed.labels) as events:
            foreign = ContainerSpec(f"{bed.labels['test']}-foreign", bed.image, {"test-foreign": "x"})
            other = await bed.runtime.containers.create(foreign)
            made = await bed.running("a")
            await bed.runtime.containers.remove(made)
            await bed.runtime.containers.remove(other)
            # An engine repeats the event of a recent pull.
            of_containers = (event async for event in events if event.kind is not EventKind.IMAGES_CHANGED)
            seen = [await anext(of_containers) for _ in range(4)]
        assert [event.kind for event in seen] == [
            EventKind.CREATED,
            EventKind.STARTED,
            EventKind.DIED,
            EventKind.DESTROYED,
        ]
        assert {event.id for event in seen} == {made}
        assert all(bed.labels.items() <= event.labels.items() for event in seen)

    async def test_missing_images(self, bed: Bed) -> None:
        missing = f"nobody/{uuid.uuid4().hex}:1"
        assert await bed.runtime.images.id_of(missing) is None
        with pytest.raises(ImageNotFound):
            await bed.runtime.containers.create(ContainerSpec(f"{bed.labels['test']}-x", missing, bed.labels))
        with pytest.raises(ImageNotFound):
            await bed.runtime.images.user_of(missing)
        with pytest.raises((ImageNotFound, PullFailed)):
            await bed.runtime.images.pull(missing)

    @pytest.mark.parametrize("image", ["http://registry.example/app", "Bad@@Name", "app:"])
    async def test_what_is_not_an_image_reference(self, bed: Bed, image: str) -> None:
        for call in (bed.runtime.images.id_of, bed.runtime.images.pull):
            with pytest.raises(InvalidImageName):
                await call(image)

    async def test_version(self, bed: Bed) -> None:
        assert "://" in str(await bed.runtime.version())


async def next_event(events: AsyncIterator[RuntimeEvent], kind: EventKind) -> RuntimeEvent:
    """Wait for the next event of that kind."""
    async with asyncio.timeout(30):
        async for event in events:
            if event.kind is kind:
                return event
    raise AssertionError("the stream ended")
