"""The observed state of one pod: a frozen snapshot.

The step function and the status are computed from it; view.py keeps it up to date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.pods.health import HEALTHY, Health
from agent.pods.trees import trees_of
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord
from agent.statuses import ContainerUser


@dataclass(frozen=True, slots=True)
class Instance:
    """One container of the engine, as an instance of a container (or sandbox) of the pod."""

    record: ContainerRecord
    attempt: int
    sandbox: int = 0
    """Attempt of the sandbox that it joined; 0 for a sandbox itself."""
    exact: bool = True
    """False: known from an event only, which lacks details (killed for memory, a sandbox's pid): ask the engine."""
    replaced: bool = False
    """The agent ended it to put another one in its place: whatever its exit code is, the container goes on."""

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
        """A sandbox whose network can be connected: it runs, and its pid is known."""
        return self.running and self.record.pid > 0

    @property
    def ended_at(self) -> float:
        """When it ended; if it never started, when it was created."""
        return self.record.finished_at or self.record.created_at


@dataclass(frozen=True, slots=True)
class Observed:
    """A pod on this node. Instances are sorted by attempt."""

    sandboxes: tuple[Instance, ...] = ()
    containers: Mapping[str, tuple[Instance, ...]] = field(default_factory=dict)
    address: str = ""
    """The pod's address once it is known; stays known after the pod has ended."""
    attached: ContainerId | None = None
    """The sandbox whose network this agent process has connected."""
    volumes_ready: bool = False
    volumes_released: bool = False
    """This agent process has removed the volumes, as the pod has ended."""
    images: Mapping[str, int] = field(default_factory=dict)
    """Container → the attempt for which its image is ready."""
    image_volumes: Mapping[str, str] = field(default_factory=dict)
    """The volumes that have the files of an image → the image's id."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """Container → the highest attempt ever seen, even if its record is gone: restart counts never go back."""
    network_released: bool = False
    disk_clean: bool = False
    messages: frozenset[ContainerId] = frozenset()
    """Ended instances whose termination message is complete, if it may come from the log."""
    health: Mapping[ContainerId, Health] = field(default_factory=dict)
    """What probes and hooks have shown; nothing for containers without them."""
    users: Mapping[ContainerId, ContainerUser | None] = field(default_factory=dict)
    """As which users instances have started; None: that cannot be known any more."""
    released: frozenset[ContainerId] = frozenset()
    """Instances that have started, and whose read-only trees this agent process has unmounted."""
    verdict_kept: bool = False
    """The node's decision that the pod has ended is written down."""

    def has_trees(self, instance: Instance) -> bool:
        """Whether read-only trees that the instance was started with may still be mounted on the node."""
        return bool(trees_of(instance.record.labels)) and instance.id not in self.released

    @property
    def sandbox(self) -> Instance | None:
        """The newest sandbox."""
        return self.sandboxes[-1] if self.sandboxes else None

    @property
    def live_sandbox(self) -> Instance | None:
        """The newest sandbox, if containers can join it."""
        newest = self.sandbox
        return newest if newest is not None and not newest.exited else None

    @property
    def connected(self) -> bool:
        """Whether the sandbox runs and has its network: containers can start."""
        sandbox = self.live_sandbox
        return sandbox is not None and sandbox.running and self.attached == sandbox.id

    @property
    def next_sandbox_attempt(self) -> int:
        """Higher than every present sandbox, and than every sandbox that a container has joined."""
        joined = (instance.sandbox for instances in self.containers.values() for instance in instances)
        attempts = [*(sandbox.attempt for sandbox in self.sandboxes), *joined]
        return max(attempts) + 1 if attempts else 0

    def health_of(self, instance: ContainerId) -> Health:
        """The health of an instance that runs."""
        return self.health.get(instance, HEALTHY)

    def is_up(self, container: str) -> bool:
        """Whether the container runs and counts as started."""
        newest = self.newest(container)
        return newest is not None and newest.running and self.health_of(newest.id).up

    def newest(self, container: str) -> Instance | None:
        """The newest instance of a container."""
        instances = self.containers.get(container, ())
        return instances[-1] if instances else None

    def last_ended(self, container: str) -> Instance | None:
        """The newest instance that has ended, if any."""
        instances = reversed(self.containers.get(container, ()))
        return next((instance for instance in instances if instance.exited), None)

    def name_of(self, instance: Instance) -> str:
        """The name of the container that this is an instance of."""
        return next(name for name, instances in self.containers.items() if instance in instances)

    @property
    def running(self) -> bool:
        """Whether a container runs; the sandbox does not count."""
        return any(instance.running for instance in self.all_containers)

    @property
    def all_containers(self) -> tuple[Instance, ...]:
        """Every instance of every container, without sandboxes."""
        return tuple(instance for instances in self.containers.values() for instance in instances)
