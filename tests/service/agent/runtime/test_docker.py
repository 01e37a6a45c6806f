"""DockerRuntime on a fake engine: what it sends, what it makes of answers, and how faults of the engine show."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import web

from agent.model import LogOptions
from agent.runtime.client import Limits
from agent.runtime.containers import ContainerSpec
from agent.runtime.docker import DockerRuntime
from agent.runtime.errors import (
    EngineFault,
    EngineGone,
    ImageNotFound,
    InvalidImageName,
    PullFailed,
    StartRefused,
    TimedOut,
)
from agent.runtime.events import EventKind
from agent.runtime.records import ContainerId, ContainerPhase
from tests.fakes.docker_engine import LABELS, FakeEngine, frame

FOLLOW = LogOptions(follow=True)


def spec(name: str, image: str = "web:1") -> ContainerSpec:
    return ContainerSpec(name, image, LABELS)


async def test_a_container_is_made_started_and_removed(engine: FakeEngine, runtime: DockerRuntime) -> None:
    made = await runtime.containers.create(spec("a"))
    await runtime.containers.start(made)
    assert (await runtime.containers.inspect("a")).phase is ContainerPhase.RUNNING
    await runtime.containers.remove(made)
    assert engine.containers == {}
    await runtime.containers.remove(made)


# --- logs ------------------------------------------------------------------------------------------------------------


async def log(runtime: DockerRuntime, container: str, options: LogOptions = FOLLOW) -> bytes:
    return b"".join([piece async for piece in runtime.containers.logs(ContainerId(container), options)])


async def test_a_log_is_decoded_in_whatever_pieces_it_arrives(engine: FakeEngine, runtime: DockerRuntime) -> None:
    framed = frame(1, b"out\n") + frame(2, b"err\n") + frame(1, b"")
    engine.logs = [framed[:5], framed[5:14], framed[14:]]
    assert await log(runtime, engine.add("a", status="exited")) == b"out\nerr\n"


async def test_the_log_of_a_terminal_is_not_framed(engine: FakeEngine, runtime: DockerRuntime) -> None:
    made = engine.add("a", status="exited")
    engine.containers[made]["Config"]["Tty"] = True
    engine.logs = [b"\x01text\n"]
    assert await log(runtime, made) == b"\x01text\n"


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([frame(1, b"whole\n"), None], id="between frames"),
        pytest.param([frame(1, b"whole\n") + frame(1, b"half\n")[:10]], id="inside a frame, in good order"),
        pytest.param([frame(1, b"whole\n")], id="between frames, in good order, and the container runs"),
    ],
)
async def test_an_engine_that_dies_in_the_middle_of_a_log(
    engine: FakeEngine, runtime: DockerRuntime, pieces: list[bytes | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.runtime.dockerlogs._FIRST_LOOK_S", 0.0)
    engine.logs = pieces
    received = []
    with pytest.raises(EngineGone):
        async for piece in runtime.containers.logs(ContainerId(engine.add("a")), FOLLOW):
            received += [piece]
    assert b"".join(received).startswith(b"whole\n")


async def test_nonsense_in_a_log_is_the_engines_fault(engine: FakeEngine, runtime: DockerRuntime) -> None:
    engine.logs = [b"\x09nonsense"]
    with pytest.raises(EngineFault, match="unknown channel"):
        await log(runtime, engine.add("a"))


# --- images ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", ["http://registry.example/app", "App", "a b", "../containers/x"])
async def test_a_bad_image_name_never_reaches_the_engine(
    engine: FakeEngine, runtime: DockerRuntime, image: str
) -> None:
    for call in (runtime.images.id_of, runtime.images.user_of, runtime.images.pull):
        with pytest.raises(InvalidImageName, match="couldn't parse image name"):
            await call(image)
    assert engine.requests == []


async def test_a_pull(engine: FakeEngine, runtime: DockerRuntime) -> None:
    engine.registry["r.example/app:2"] = [{"status": "Downloading"}, {"status": "Done"}]
    assert await runtime.images.id_of("r.example/app:2") is None
    with pytest.raises(ImageNotFound):
        await runtime.containers.create(spec("a", "r.example/app:2"))
    pulled = await runtime.images.pull("r.example/app:2")
    assert (pulled.id, pulled.size_bytes, pulled.took_s >= 0) == ("sha256:r.example/app:2", 4321, True)
    with pytest.raises(ImageNotFound, match="manifest unknown"):
        await runtime.images.pull("r.example/none")


async def test_hung_registries_do_not_stop_other_pulls(engine: FakeEngine, runtime: DockerRuntime) -> None:
    hung = [f"hung{number}.example/app:1" for number in range(5)]
    engine.registry = {image: [{"status": "Waiting"}, None] for image in hung} | {"app:1": []}
    pulls = [asyncio.create_task(runtime.images.pull(image)) for image in hung]
    await engine.hung.acquire()
    assert (await runtime.images.pull("app:1")).id == "sha256:app:1"
    for pull in pulls:
        pull.cancel()
    await asyncio.gather(*pulls, return_exceptions=True)
    assert (await engine.broken_off.get()).startswith("pull hung"), "the engine must learn that nobody waits"


async def test_a_pull_without_progress_fails_and_names_the_registry(engine: FakeEngine) -> None:
    runtime = DockerRuntime(engine.socket, limits=Limits(pull_progress_s=0.05))
    engine.registry["hung.example/app:1"] = [{"status": "Waiting"}, None]
    with pytest.raises(PullFailed, match=r"the registry hung\.example hangs: no progress for 0\.05 s"):
        await runtime.images.pull("hung.example/app:1")
    assert await engine.broken_off.get() == "pull hung.example/app:1"
    await runtime.close()


def configure(monkeypatch: pytest.MonkeyPatch, directory: Path, configuration: Mapping[str, object]) -> None:
    (directory / "config.json").write_text(json.dumps(configuration))
    monkeypatch.setenv("DOCKER_CONFIG", str(directory))


@pytest.mark.parametrize("helper", [False, True])
async def test_the_hosts_credentials_are_sent_to_their_registry_only(
    engine: FakeEngine, runtime: DockerRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, helper: bool
) -> None:
    engine.registry = {"r.example/app:1": [{"error": "unauthorized: wrong password"}], "other.example/app:1": []}
    if helper:
        program = tmp_path / "docker-credential-fake"
        program.write_text('#!/bin/sh\nread server\necho "{\\"Username\\": \\"me\\", \\"Secret\\": \\"$server\\"}"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        configure(monkeypatch, tmp_path, {"credHelpers": {"r.example": "fake"}})
    else:
        entry = {"auth": base64.b64encode(b"me:r.example").decode()}
        configure(monkeypatch, tmp_path, {"auths": {"r.example": entry}})
    with pytest.raises(PullFailed, match="with the credentials of the node's Docker configuration"):
        await runtime.images.pull("r.example/app:1")
    sent = json.loads(base64.urlsafe_b64decode(engine.headers["X-Registry-Auth"]))
    values = {key.lower(): value for key, value in sent.items()}
    assert (values["username"], values["password"]) == ("me", "r.example")
    await runtime.images.pull("other.example/app:1")
    assert "X-Registry-Auth" not in engine.headers
    assert await runtime.images.has_own_credentials("r.example/app:1")
    assert not await runtime.images.has_own_credentials("other.example/app:1")


@pytest.mark.parametrize("answer", ["[]", "{}", "nonsense", '{"Username": "me"}'])
async def test_a_broken_credential_helper_is_named(
    runtime: DockerRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    program = tmp_path / "docker-credential-fake"
    program.write_text(f"#!/bin/sh\nread server\necho '{answer}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    configure(monkeypatch, tmp_path, {"credHelpers": {"r.example": "fake"}})
    with pytest.raises(PullFailed, match=r"Docker configuration of this node cannot be used for r\.example"):
        await runtime.images.pull("r.example/app:1")


@pytest.mark.parametrize(
    "configuration",
    [
        pytest.param({"auths": {"r.example": {"auth": "bm8gY29sb24="}}}, id="no colon"),
        pytest.param({"credHelpers": {"r.example": "missing"}}, id="no such helper"),
    ],
)
async def test_a_broken_configuration_is_named(
    runtime: DockerRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configuration: Mapping[str, object]
) -> None:
    configure(monkeypatch, tmp_path, configuration)
    with pytest.raises(PullFailed, match=r"Docker configuration of this node cannot be used for r\.example"):
        await runtime.images.pull("r.example/app:1")


# --- faults of the engine --------------------------------------------------------------------------------------------


async def test_the_engine_counts_as_alive_while_calls_are_stuck(engine: FakeEngine) -> None:
    runtime = DockerRuntime(engine.socket)
    engine.hangs = lambda request: "/containers/" in request.path
    calls = [asyncio.create_task(runtime.containers.inspect(f"c{number}")) for number in range(8)]
    await engine.hung.acquire()
    assert (await runtime.version()).version == "20.10.24"
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await runtime.close()


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "exec: /none: no such file or directory", StartRefused),
        (500, "OCI runtime create failed: /none", StartRefused),
        (500, "the database is locked", EngineFault),
    ],
)
async def test_only_a_start_that_was_tried_is_refused(
    engine: FakeEngine, runtime: DockerRuntime, status: int, message: str, expected: type[Exception]
) -> None:
    made = ContainerId(engine.add("a", status="created"))
    engine.fails = lambda request: (
        web.json_response({"message": message}, status=status) if request.path.endswith("/start") else None
    )
    with pytest.raises(expected, match=message):
        await runtime.containers.start(made)


async def test_an_answer_of_an_unknown_form_is_the_engines_fault(engine: FakeEngine, runtime: DockerRuntime) -> None:
    await runtime.version()
    engine.fails = lambda request: web.json_response({"unknown": 1})
    for call in (
        runtime.containers.inspect("a"),
        runtime.list({}),
        runtime.images.id_of("a"),
        runtime.containers.create(spec("a")),
        runtime.version(),
    ):
        with pytest.raises(EngineFault, match="unknown form"):
            await call


async def test_an_event_stream_that_ends_is_an_engine_that_is_gone(engine: FakeEngine, runtime: DockerRuntime) -> None:
    made = engine.add("a")
    async with runtime.events(LABELS) as events:
        engine.publish("die", made)
        assert (await anext(events)).kind is EventKind.DIED
        engine.drop_subscribers()
        with pytest.raises(EngineGone, match="closed the stream"):
            await anext(events)


async def test_events_of_an_engine_that_hangs(engine: FakeEngine) -> None:
    runtime = DockerRuntime(engine.socket, limits=Limits(call_s=0.02))
    engine.hangs = lambda request: request.path.endswith("/events")
    with pytest.raises(TimedOut):
        async with runtime.events(LABELS):
            pass
    await runtime.close()


async def test_a_container_that_is_stuck_is_listed_as_far_as_it_is_known(
    engine: FakeEngine, runtime: DockerRuntime
) -> None:
    stuck, other, ended = engine.add("stuck"), engine.add("other"), engine.add("ended", status="exited")
    engine.hangs = lambda request: request.path.endswith(f"{stuck}/json")
    engine.fails = lambda request: web.Response(status=500) if request.path.endswith(f"{ended}/json") else None
    records = {record.id: record for record in await runtime.list(LABELS)}
    assert [records[ContainerId(each)].partial for each in (stuck, other, ended)] == [True, False, True]
    assert all(record.running for record in records.values()), "an end would need an exit code"
    assert records[ContainerId(stuck)].name == "stuck" and records[ContainerId(stuck)].labels == LABELS
    phases = {each.name: each.phase for each in await runtime.overview(LABELS)}
    assert phases == {
        "stuck": ContainerPhase.RUNNING,
        "other": ContainerPhase.RUNNING,
        "ended": ContainerPhase.EXITED,
    }


async def test_an_engine_that_dies_during_a_list(engine: FakeEngine) -> None:
    made = [engine.add(f"c{number}") for number in range(3)]

    def fails(request: web.Request) -> web.StreamResponse | None:
        if request.path.endswith(f"{made[1]}/json") and request.transport is not None:
            request.transport.close()
        return None

    engine.fails = fails
    runtime = DockerRuntime(engine.socket)  # with the real limits: no look times out first
    with pytest.raises(EngineGone):
        await runtime.list(LABELS)
    await runtime.close()


async def test_podman_is_known_by_its_version(engine: FakeEngine, runtime: DockerRuntime) -> None:
    engine.components = [{"Name": "Podman Engine", "Version": "4.3.1"}]
    assert str(await runtime.version()) == "podman://4.3.1"
    await runtime.list(LABELS)
    assert runtime.name == "podman"
