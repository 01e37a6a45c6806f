"""Conversion between the engine's JSON and the runtime's values: pure functions.

Owns the form of Docker's create requests, inspect answers and events. Does no I/O.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from agent.runtime.images import Image
from agent.runtime.interface import (
    ContainerId,
    ContainerPhase,
    ContainerRecord,
    ContainerSpec,
    EventKind,
    Privileges,
    RuntimeEvent,
)

LOG_CONFIG: Final = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
"""Limits a container's log to 30 MB on disk."""

_RUNNING_STATES: Final = frozenset({"running", "paused", "restarting"})
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def create_body(spec: ContainerSpec) -> dict[str, Any]:
    """The body of POST /containers/create."""
    body: dict[str, Any] = {
        "Image": spec.image,
        "Labels": dict(spec.labels),
        "Env": list(spec.env),
        "Hostname": "" if spec.join else spec.hostname,
        "OpenStdin": spec.stdin,
        "Tty": spec.tty,
        "HostConfig": _host_config(spec),
    }
    if spec.join is None and not spec.host_network:
        # A private namespace without libnetwork, which has nothing to do in a namespace that we connect ourselves. This
        # saves two runs of dockerd's own binary as a hook (120 of 220 ms).
        body["NetworkDisabled"] = True
    if spec.entrypoint:
        body["Entrypoint"] = list(spec.entrypoint)
    if spec.command:
        body["Cmd"] = list(spec.command)
    if spec.working_dir:
        body["WorkingDir"] = spec.working_dir
    if spec.privileges.user:
        body["User"] = spec.privileges.user
    return body


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    network = "host" if spec.host_network else f"container:{spec.join}" if spec.join else "none"
    limits = spec.limits
    privileges = spec.privileges
    config: dict[str, Any] = {
        "NetworkMode": network,
        "IpcMode": "host" if spec.host_ipc else f"container:{spec.join}" if spec.join else "shareable",
        "LogConfig": LOG_CONFIG,
        "RestartPolicy": {"Name": "no"},
        "Mounts": [
            {"Type": "bind", "Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}
            for mount in spec.mounts
        ],
        "CpuShares": limits.cpu_shares,
        "OomScoreAdj": limits.oom_score_adj,
        "Privileged": privileges.privileged,
        "ReadonlyRootfs": privileges.read_only_root,
        "CapAdd": list(privileges.add_capabilities),
        "CapDrop": list(privileges.drop_capabilities),
        "GroupAdd": [str(group) for group in privileges.groups],
        "SecurityOpt": _security_options(privileges),
    }
    if spec.host_pid:
        config["PidMode"] = "host"
    elif spec.join_pid:
        config["PidMode"] = f"container:{spec.join_pid}"
    if spec.sysctls:
        config["Sysctls"] = dict(spec.sysctls)
    if limits.cpu_quota_us:
        config |= {"CpuQuota": limits.cpu_quota_us, "CpuPeriod": limits.cpu_period_us}
    if limits.memory_bytes:
        # The swap limit includes memory: equal values mean no swap.
        config |= {"Memory": limits.memory_bytes, "MemorySwap": limits.memory_bytes}
    if spec.cgroup_parent:
        config["CgroupParent"] = spec.cgroup_parent
    return config


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


def image_from_inspect(answer: Mapping[str, Any]) -> Image:
    """One GET /images/NAME/json answer."""
    return Image(str(answer["Id"]), str((answer.get("Config") or {}).get("User") or ""))


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
