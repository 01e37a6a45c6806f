"""Keeps what is observed of one pod up to date, from lists, events and the results of our own calls.

Owns the mutable side of observed.py; belongs to one worker. A container's phase never goes back here, so that an
event and the answer of a call may come in either order; but for one that somebody started again by hand, which the
engine is asked about after it has told of the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from agent.pods.names import identify
from agent.pods.observed import Instance, Observed
from agent.runtime.interface import ContainerId, ContainerPhase, ContainerRecord, EventKind, RuntimeEvent

_ORDER = {ContainerPhase.CREATED: 0, ContainerPhase.RUNNING: 1, ContainerPhase.EXITED: 2}


class PodView:
    """What is there of a pod."""

    def __init__(self) -> None:
        self._records: dict[ContainerId, tuple[ContainerRecord, bool]] = {}
        self._attempts: dict[str, int] = {}
        self._observed: Observed | None = None
        self.address = ""
        self.attached: ContainerId | None = None
        self.volumes_ready = False
        self.images: dict[str, int] = {}
        self.network_released = False
        self.disk_clean = False
        self.started_at = 0.0
        """When the pod was taken up, as its first sandbox says; 0.0: not known."""

    def observed(self) -> Observed:
        """The present snapshot."""
        return replace(
            self._instances(),
            address=self.address,
            attached=self.attached,
            volumes_ready=self.volumes_ready,
            images=dict(self.images),
            network_released=self.network_released,
            disk_clean=self.disk_clean,
        )

    def replace_all(self, records: Iterable[ContainerRecord]) -> None:
        """A complete list, as the engine has just told it."""
        before = self._records
        self._records = {}
        for record in records:
            known, exact = before.get(record.id, (record, True))
            if not (record.running and known.phase is ContainerPhase.EXITED):
                self._records[record.id] = (known, exact)
            self.put(record)
        self._lost_sandbox()
        self._observed = None

    def put(self, record: ContainerRecord, *, exact: bool = True) -> None:
        """A container as the engine tells it, or as our own call made it; older news than we have changes nothing."""
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
        self._records[record.id] = (record, exact)
        self._observed = None
        self._lost_sandbox()

    def look_up(self, record: ContainerRecord) -> None:
        """The answer to a question that was asked because of what we knew: it counts, also when it goes back."""
        self._records.pop(record.id, None)
        self.put(record)

    def drop(self, container: ContainerId) -> None:
        """The container does not exist any more."""
        self._records.pop(container, None)
        self._lost_sandbox()
        self._observed = None

    def get(self, container: ContainerId) -> ContainerRecord | None:
        """The record, when there is one."""
        known = self._records.get(container)
        return known[0] if known else None

    def take(self, event: RuntimeEvent) -> bool:
        """An event of the engine; False when it is about a container that must be looked up."""
        container = ContainerId(event.id)
        record = self.get(container)
        match event.kind:
            case EventKind.DESTROYED:
                self.drop(container)
            case EventKind.STARTED if record is not None:
                if record.phase is ContainerPhase.CREATED:
                    # Its pid, by which a sandbox is wired, is not in the event.
                    started = replace(record, phase=ContainerPhase.RUNNING, started_at=event.at)
                    self.put(started, exact=not _is_sandbox(record))
                elif record.phase is ContainerPhase.EXITED:
                    # The engine's word for a very short life comes in this order too: look.
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

    def _lost_sandbox(self) -> None:
        """A sandbox that ended took its network with it."""
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
                target.append(Instance(record, identity.attempt, identity.sandbox, exact))
            self._observed = Observed(
                sandboxes=tuple(sorted(sandboxes, key=lambda each: each.attempt)),
                containers={
                    name: tuple(sorted(instances, key=lambda each: each.attempt))
                    for name, instances in containers.items()
                },
                attempts=dict(self._attempts),
            )
        return self._observed


def _is_sandbox(record: ContainerRecord) -> bool:
    identity = identify(record.labels)
    return identity is not None and not identity.container
