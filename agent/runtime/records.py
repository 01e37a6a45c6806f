"""Containers and sandboxes as the engine reports them: values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

ContainerId = NewType("ContainerId", str)
"""The engine's name of a container or a sandbox."""


class ContainerPhase(StrEnum):
    """The phase of a container; without a restart by hand it never goes back."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """A container or a sandbox as the engine reports it. Times are seconds since the epoch; 0.0: not yet."""

    id: ContainerId
    name: str
    labels: Mapping[str, str]
    phase: ContainerPhase
    image: str = ""
    image_id: str = ""
    pid: int = 0
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    """Why it could not be started."""
    created_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    stop_signal: str = ""
    """From the image; empty: SIGTERM."""
    partial: bool = False
    """The engine listed the container, but did not answer about it in time: pid, exit code and times are missing. It
    counts as running, since an end would need an exit code."""

    @property
    def running(self) -> bool:
        return self.phase is ContainerPhase.RUNNING


@dataclass(frozen=True, slots=True)
class Listed:
    """A container in a list of the engine's."""

    id: ContainerId
    name: str
    labels: Mapping[str, str]
    phase: ContainerPhase
    """EXITED is not distinguished from a failed start, which the engine lists as CREATED."""
