"""Requests of clients of the master about one pod: a log, a process in a container, a connection to a port."""

from __future__ import annotations

from dataclasses import dataclass

from agent.model.identity import PodUid


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which part of a container's output to read; tail_lines None: all; the other numbers 0: no limit.

    `since_s`: so many seconds before now; it counts instead of `since_at`, if both are set.
    """

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_at: float = 0.0
    since_s: float = 0.0
    limit_bytes: int = 0


@dataclass(frozen=True, slots=True)
class LogRequest:
    """A container's log that a reader at the master asks for."""

    namespace: str
    pod: str
    uid: PodUid
    container: str
    options: LogOptions


@dataclass(frozen=True, slots=True)
class ProcessRequest:
    """A process that a client of the master wants to talk to, and which of its streams it wants.

    `command` empty: the container's main process.
    """

    namespace: str
    pod: str
    uid: PodUid
    container: str
    command: tuple[str, ...] = ()
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionRequest:
    """A TCP connection to a port of a pod, for a client of the master.

    `by_pod_address`: to the pod's address, as other hosts do; otherwise to the loopback address inside of the pod.
    """

    namespace: str
    pod: str
    uid: PodUid
    port: int
    by_pod_address: bool = False
