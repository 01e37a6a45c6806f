"""PodView: keeps the observed state of one pod up to date from lists, events and the results of our own calls.

Owns the mutable side of observed.py; belongs to one worker. A container's phase never goes back, so that an event and
the answer of a call may arrive in either order. The exception is a container that was restarted by hand: the engine is
asked about it after its end has been seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.pods.health import Health
from agent.pods.names import identify, is_sandbox
from agent.pods.observed import Instance, Observed
from agent.runtime.events import EventKind, RuntimeEvent
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord
from agent.statuses import ContainerUser

_ORDER = {ContainerPhase.CREATED: 0, ContainerPhase.RUNNING: 1, ContainerPhase.EXITED: 2}


class PodView:
    """The observed state of one pod."""

    def __init__(self) -> None:
        self._records: dict[ContainerId, tuple[ContainerRecord, bool]] = {}
        self._attempts: dict[str, int] = {}
        self._replaced: set[ContainerId] = set()
        self._observed: Observed | None = None
        self.address = ""
        self.attached: ContainerId | None = None
        self.volumes_ready = False
        self.volumes_released = False
        self.volumes_changed = False
        """What they are made from has changed since they were prepared last, or since that began."""
        self.images: dict[str, int] = {}
        self.image_volumes: dict[str, str] = {}
        self.network_released = False
        self.disk_clean = False
        self.messages: set[ContainerId] = set()
        self.verdict_kept = False
        self.users: dict[ContainerId, ContainerUser | None] = {}
        """Snapshots keep it, so it is replaced."""
        self.released: set[ContainerId] = set()
        self._health: dict[ContainerId, Health] = {}
        self.started_at = 0.0
        """When this node started with the pod, by the label of its first sandbox; 0.0: not known."""

    def observed(self) -> Observed:
        """The present snapshot."""
        return replace(
            self._instances(),
            address=self.address,
            attached=self.attached,
            volumes_ready=self.volumes_ready,
            volumes_released=self.volumes_released,
            images=dict(self.images),
            image_volumes=dict(self.image_volumes),
            network_released=self.network_released,
            disk_clean=self.disk_clean,
            messages=frozenset(self.messages),
            health=self._health,
            users=self.users,
            released=frozenset(self.released),
            verdict_kept=self.verdict_kept,
        )

    def replace_all(self, records: Iterable[ContainerRecord]) -> None:
        """Take a complete list that the engine has just returned."""
        before = self._records
        self._records = {}
        for record in records:
            known, exact = before.get(record.id, (record, True))
            if not (record.running and known.phase is ContainerPhase.EXITED):
                self._records[record.id] = (known, exact)
            self.put(record)
        self._check_attached()
        self._observed = None

    def put(self, record: ContainerRecord, *, exact: bool = True) -> None:
        """Take a record from the engine or from our own call; one that is older than the present one is ignored."""
        identity = identify(record.labels)
        if identity is None:
            return
        if identity.container:
            self._attempts[identity.container] = max(identity.attempt, self._attempts.get(identity.container, -1))
        elif identity.started_at and not self.started_at:
            self.started_at = identity.started_at
        known = self._records.get(record.id)
        if known is not None and _ORDER[known[0].phase] > _ORDER[record.phase]:
            return
        self._records[record.id] = (record, exact and not record.partial)
        self._observed = None
        self._check_attached()

    def compare(self, listed: Mapping[ContainerId, ContainerPhase]) -> frozenset[ContainerId]:
        """Compare with the engine's list; returns containers of which the view knows nothing.

        Where both differ, an event was lost or is on its way, or the list is older: the engine is asked again. A phase
        never goes back to CREATED, so that one tells nothing new.
        """
        for container, (record, _) in tuple(self._records.items()):
            phase = listed.get(container)
            if phase is not ContainerPhase.CREATED and phase is not record.phase:
                self._records[container] = (record, False)
                self._observed = None
        return frozenset(listed.keys() - self._records.keys())

    def overwrite(self, record: ContainerRecord) -> None:
        """Take the answer to a refresh, even if its phase goes back."""
        self._records.pop(record.id, None)
        self.put(record)

    def drop(self, container: ContainerId) -> None:
        """Forget a container that does not exist any more."""
        self._records.pop(container, None)
        self._replaced.discard(container)
        self.messages.discard(container)
        self.released.discard(container)
        self._health = {other: health for other, health in self._health.items() if other != container}
        self.users = {other: user for other, user in self.users.items() if other != container}
        self._check_attached()
        self._observed = None

    def mark_replaced(self, container: ContainerId) -> None:
        """The container was ended to be replaced."""
        self._replaced.add(container)
        self._observed = None

    def set_health(self, container: ContainerId, health: Health) -> None:
        """Take what probes and hooks have shown. Snapshots keep the mapping, so it is replaced."""
        self._health = {**self._health, container: health}

    def get(self, container: ContainerId) -> ContainerRecord | None:
        """The container's record, if there is one."""
        known = self._records.get(container)
        return known[0] if known else None

    def take(self, event: RuntimeEvent) -> bool:
        """Take an event of the engine; False when it is about an unknown container, which must be inspected."""
        container = ContainerId(event.id)
        record = self.get(container)
        match event.kind:
            case EventKind.DESTROYED:
                self.drop(container)
            case EventKind.STARTED if record is not None:
                if record.phase is ContainerPhase.CREATED:
                    # The event lacks the pid, which is needed to connect a sandbox.
                    started = replace(record, phase=ContainerPhase.RUNNING, started_at=event.at)
                    self.put(started, exact=not is_sandbox(record.labels))
                elif record.phase is ContainerPhase.EXITED:
                    # A restart by hand, or the late start event of a container that ended at once: ask the engine.
                    self.put(replace(record), exact=False)
            case EventKind.DIED if record is not None:
                if record.phase is not ContainerPhase.EXITED:
                    ended = replace(
                        record,
                        phase=ContainerPhase.EXITED,
                        exit_code=event.exit_code,
                        oom_killed=event.oom_killed,
                        started_at=record.started_at or event.at,
                        finished_at=event.at,
                        pid=0,
                    )
                    self.put(ended, exact=False)
            case EventKind.CREATED | EventKind.STARTED | EventKind.DIED:
                return record is not None
            case _:
                pass
        return True

    def _check_attached(self) -> None:
        """Forget the connected sandbox if its record is gone."""
        if self.attached is None:
            return
        record = self.get(self.attached)
        if record is None:
            self.attached = None

    def _instances(self) -> Observed:
        if self._observed is None:
            sandboxes: list[Instance] = []
            containers: dict[str, list[Instance]] = defaultdict(list)
            for record, exact in self._records.values():
                identity = identify(record.labels)
                if identity is None:
                    continue
                target = containers[identity.container] if identity.container else sandboxes
                replaced = record.id in self._replaced
                target.append(Instance(record, identity.attempt, identity.sandbox, exact, replaced))
            self._observed = Observed(
                sandboxes=tuple(sorted(sandboxes, key=lambda instance: instance.attempt)),
                containers={
                    name: tuple(sorted(instances, key=lambda instance: instance.attempt))
                    for name, instances in containers.items()
                },
                attempts=dict(self._attempts),
            )
        return self._observed
