"""Conversion between the engine's JSON and the runtime's values: pure functions.

Owns the form of Docker's create requests, inspect answers and events. Docker's SDK builds the requests. Does no I/O.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from agent.runtime import sdk
from agent.runtime.containers import ContainerSpec, Mount, Privileges
from agent.runtime.errors import BadRequest
from agent.runtime.events import EventKind, RuntimeEvent
from agent.runtime.imagememory import Image
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord, Listed
from agent.runtime.sandboxes import SandboxSpec
from agent.runtime.versions import OLDEST

LOG_TYPE: Final = "json-file"
LOG_OPTIONS: Final = {"max-size": "10m", "max-file": "3"}
"""Limits a container's log to 30 MB on disk."""
MOST_PROCESSES: Final = 1 << 22
"""What a kernel can have in all (PID_MAX_LIMIT): no limit."""

_RUNNING_STATES: Final = frozenset({"running", "paused", "restarting"})
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def create_body(spec: ContainerSpec, what: str = "create") -> dict[str, Any]:
    """The body of POST /containers/create, built by Docker's SDK. Raises BadRequest for what the SDK refuses."""
    with _built(what):
        body = sdk.types.ContainerConfig(
            OLDEST,
            spec.image,
            list(spec.command),
            user=spec.privileges.user or None,
            detach=True,
            stdin_open=spec.stdin,
            tty=spec.tty,
            environment=list(spec.env),
            network_disabled=spec.join is None and not spec.host_network,
            entrypoint=list(spec.entrypoint) or None,
            working_dir=spec.working_dir or None,
            host_config=_host_config(spec),
            labels=dict(spec.labels),
        )
    # The SDK has no parameter for it: it sets it for a container that is attached from the start.
    return {**body, "StdinOnce": spec.stdin_once}


def sandbox_body(spec: SandboxSpec, what: str = "create") -> dict[str, Any]:
    """The same for a sandbox: a container that others join."""
    with _built(what):
        return sdk.types.ContainerConfig(
            OLDEST,
            spec.image,
            [],
            hostname=spec.hostname,
            detach=True,
            # A private namespace without libnetwork, which has nothing to do in a namespace that we connect ourselves.
            # This saves two runs of dockerd's own binary as a hook (120 of 220 ms).
            network_disabled=not spec.host_network,
            host_config=sdk.types.HostConfig(
                OLDEST,
                network_mode="host" if spec.host_network else "none",
                ipc_mode="host" if spec.host_ipc else "shareable",
                log_config=sdk.types.LogConfig(type=LOG_TYPE, config=dict(LOG_OPTIONS)),
                restart_policy={"Name": "no"},
                cpu_shares=spec.cpu_shares,
                oom_score_adj=spec.oom_score_adj,
                sysctls=dict(spec.sysctls),
                cgroup_parent=spec.cgroup_parent or None,
            ),
            labels=dict(spec.labels),
        )


@contextmanager
def _built(what: str) -> Iterator[None]:
    try:
        yield
    except (sdk.errors.DockerException, TypeError, ValueError) as error:
        raise BadRequest(f"{what}: {error}") from error


def _host_config(spec: ContainerSpec) -> sdk.types.HostConfig:
    limits = spec.limits
    privileges = spec.privileges
    joined = f"container:{spec.join}"
    config = sdk.types.HostConfig(
        OLDEST,
        network_mode="host" if spec.host_network else joined if spec.join else "none",
        ipc_mode="host" if spec.host_ipc else joined if spec.join else "shareable",
        pid_mode="host" if spec.host_pid else f"container:{spec.join_pid}" if spec.join_pid else None,
        log_config=sdk.types.LogConfig(type=LOG_TYPE, config=dict(LOG_OPTIONS)),
        restart_policy={"Name": "no"},
        mounts=[_mount(mount) for mount in spec.mounts],
        cpu_shares=limits.cpu_shares,
        cpu_quota=limits.cpu_quota_us,
        cpu_period=limits.cpu_period_us,
        # The swap limit includes memory: equal values mean no swap.
        mem_limit=limits.memory_bytes or None,
        memswap_limit=limits.memory_bytes or None,
        # Podman has a limit of its own if the request has none, and its runtime refuses -1.
        pids_limit=limits.pids or MOST_PROCESSES,
        oom_score_adj=limits.oom_score_adj,
        privileged=privileges.privileged,
        read_only=privileges.read_only_root,
        cap_add=list(privileges.add_capabilities),
        cap_drop=list(privileges.drop_capabilities),
        group_add=list(privileges.groups),
        security_opt=_security_options(privileges),
        cgroup_parent=spec.cgroup_parent or None,
    )
    # A path may contain the character that separates it in the client's own form.
    config["Devices"] = [
        {"PathOnHost": device.source, "PathInContainer": device.target, "CgroupPermissions": device.permissions}
        for device in spec.devices
    ]
    return config


def _mount(mount: Mount) -> sdk.types.Mount:
    made = sdk.types.Mount(
        mount.target, mount.source, type="bind", read_only=mount.read_only, propagation=mount.propagation or None
    )
    if mount.read_only:
        # The default is another one since version 1.44 of the API. The agent itself makes such mounts (hull/mounts.py).
        made["BindOptions"] = {**(made.get("BindOptions") or {}), "ReadOnlyNonRecursive": True}
    return made


def _security_options(privileges: Privileges) -> list[str]:
    options = ["no-new-privileges"] if privileges.no_new_privileges else []
    options += [f"seccomp={privileges.seccomp}"] if privileges.seccomp else []
    return options + ([f"apparmor={privileges.apparmor}"] if privileges.apparmor else [])


def record_from_inspect(answer: Mapping[str, Any]) -> ContainerRecord:
    """One GET /containers/ID/json answer."""
    state, config = answer["State"], answer["Config"]
    error = state.get("Error", "")
    return ContainerRecord(
        id=ContainerId(answer["Id"]),
        name=answer["Name"].removeprefix("/"),
        labels=config.get("Labels") or {},
        phase=_phase(state["Status"], error),
        image=config["Image"],
        image_id=answer["Image"],
        pid=state.get("Pid", 0),
        exit_code=state.get("ExitCode", 0),
        oom_killed=bool(state.get("OOMKilled")),
        error=error,
        created_at=parse_time(answer.get("Created", "")),
        started_at=parse_time(state.get("StartedAt", "")),
        finished_at=parse_time(state.get("FinishedAt", "")),
        stop_signal=config.get("StopSignal") or "",
    )


def listed_from_json(entry: Mapping[str, Any]) -> Listed:
    """One container of GET /containers/json."""
    return Listed(
        id=ContainerId(entry["Id"]),
        name=str(entry["Names"][0]).removeprefix("/"),
        labels=entry.get("Labels") or {},
        phase=_phase(str(entry["State"]).lower(), ""),
    )


def partial_record(listed: Listed, answer: Mapping[str, Any]) -> ContainerRecord:
    """A record of a container that is only known from the list."""
    return ContainerRecord(
        id=listed.id,
        name=listed.name,
        labels=listed.labels,
        phase=ContainerPhase.CREATED if listed.phase is ContainerPhase.CREATED else ContainerPhase.RUNNING,
        image=str(answer.get("Image", "")),
        image_id=str(answer.get("ImageID", "")),
        created_at=float(answer.get("Created") or 0),
        partial=True,
    )


def image_from_inspect(answer: Mapping[str, Any]) -> Image:
    """One GET /images/NAME/json answer."""
    user = str((answer.get("Config") or {}).get("User") or "")
    return Image(str(answer["Id"]), user, int(answer.get("Size") or 0))


def _phase(status: str, error: str) -> ContainerPhase:
    if status in _RUNNING_STATES:
        return ContainerPhase.RUNNING
    if status == "created":
        # A container that failed to start stays "created" in the engine; for us it has ended.
        return ContainerPhase.EXITED if error else ContainerPhase.CREATED
    return ContainerPhase.EXITED


_CONTAINER_EVENTS: Final = {
    "create": EventKind.CREATED,
    "start": EventKind.STARTED,
    "die": EventKind.DIED,
    "destroy": EventKind.DESTROYED,
    # Podman's own names: its Docker API filters by these, and reports either name.
    "died": EventKind.DIED,
    "remove": EventKind.DESTROYED,
}
_IMAGE_EVENTS: Final = frozenset({"delete", "untag", "tag", "import", "load", "pull", "remove", "loadfromarchive"})
EVENT_NAMES: Final = tuple(sorted({*_CONTAINER_EVENTS, *_IMAGE_EVENTS}))


def event_from_json(event: Mapping[str, Any], labels: Mapping[str, str]) -> RuntimeEvent | None:
    """The event if it is about images or a container with these labels, else None. The engine's own filter by labels
    would hide the events of images."""
    actor, action = event.get("Actor") or {}, str(event.get("Action", ""))
    attributes: Mapping[str, str] = actor.get("Attributes") or {}
    at = int(event.get("timeNano", 0)) / 1e9
    if event.get("Type") == "image":
        return RuntimeEvent(EventKind.IMAGES_CHANGED, actor.get("ID", ""), at) if action in _IMAGE_EVENTS else None
    kind = _CONTAINER_EVENTS.get(action)
    if kind is None or any(attributes.get(key) != value for key, value in labels.items()):
        return None
    return RuntimeEvent(kind, actor.get("ID", ""), at, attributes, int(attributes.get("exitCode", 0) or 0))


def parse_time(text: str) -> float:
    """RFC 3339 with nanoseconds as seconds since the epoch; the engine's year 1 (never) is 0.0."""
    match = _TIME.fullmatch(text)
    if match is None or text.startswith("0001-"):
        return 0.0
    seconds = float(calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S")))
    if match[3] != "Z":
        sign = -1 if match[3][0] == "+" else 1
        seconds += sign * (int(match[3][1:3]) * 3600 + int(match[3][4:6]) * 60)
    return seconds + float(match[2] or 0)
