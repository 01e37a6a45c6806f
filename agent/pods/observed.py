"""What is there of one pod, as a value.

Owns the frozen snapshot that the step function and the status are computed from. view.py keeps it up to date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.runtime.interface import ContainerId, ContainerPhase, ContainerRecord


@dataclass(frozen=True, slots=True)
class Instance:
    """One container of the engine, with its place in the pod."""

    record: ContainerRecord
    attempt: int
    sandbox: int = 0
    """Attempt of the sandbox that it joined; 0 on a sandbox itself."""
    exact: bool = True
    """False: told by an event only; the engine knows more (killed for memory? a sandbox's pid?) when asked."""

    @property
    def id(self) -> ContainerId:
        return self.record.id

    @property
    def running(self) -> bool:
        return self.record.phase is ContainerPhase.RUNNING

    @property
    def exited(self) -> bool:
        return self.record.phase is ContainerPhase.EXITED

    @property
    def attachable(self) -> bool:
        """A sandbox whose network can be wired: it runs, and its pid is known."""
        return self.running and self.record.pid > 0

    @property
    def ended_at(self) -> float:
        """When it ended; one that never started ended when it was made."""
        return self.record.finished_at or self.record.created_at


@dataclass(frozen=True, slots=True)
class Observed:
    """A pod on this node. Instances are in the order of their attempts."""

    sandboxes: tuple[Instance, ...] = ()
    containers: Mapping[str, tuple[Instance, ...]] = field(default_factory=dict)
    address: str = ""
    """The pod's address once it is known; stays known after the pod has ended."""
    attached: ContainerId | None = None
    """The sandbox whose network is wired, in this agent's life."""
    volumes_ready: bool = False
    images: Mapping[str, int] = field(default_factory=dict)
    """Container → the attempt that its image is ready for."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """Container → the highest attempt ever seen, also when its record is gone: restart counts never go back."""
    network_released: bool = False
    disk_clean: bool = False

    @property
    def sandbox(self) -> Instance | None:
        """The newest one."""
        return self.sandboxes[-1] if self.sandboxes else None

    @property
    def live_sandbox(self) -> Instance | None:
        """The newest one, while containers can join it."""
        newest = self.sandbox
        return newest if newest is not None and not newest.exited else None

    @property
    def next_sandbox_attempt(self) -> int:
        """Above everything that is there, also above what containers say that they joined."""
        joined = (each.sandbox for instances in self.containers.values() for each in instances)
        attempts = [*(each.attempt for each in self.sandboxes), *joined]
        return max(attempts) + 1 if attempts else 0

    def newest(self, container: str) -> Instance | None:
        """The last instance of a container."""
        instances = self.containers.get(container, ())
        return instances[-1] if instances else None

    def last_ended(self, container: str) -> Instance | None:
        """The instance that ended last, if any did."""
        return next((each for each in reversed(self.containers.get(container, ())) if each.exited), None)

    def name_of(self, instance: Instance) -> str:
        """The container whose instance it is."""
        return next(name for name, instances in self.containers.items() if instance in instances)

    @property
    def all_containers(self) -> tuple[Instance, ...]:
        """Every instance of every container, without sandboxes."""
        return tuple(each for instances in self.containers.values() for each in instances)
