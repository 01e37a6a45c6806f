"""The decisions of a rollout: from the state of a deployment's replica sets to their next sizes. Pure functions.

The rules, and the words for them, are those of Kubernetes' documentation of deployments: a rolling update never has
more than `replicas` + `maxSurge` pods, and never less than `replicas` - `maxUnavailable` available ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from master.controllers.deployment.revisions import DESIRED, MOST, by_age, current, revision
from master.kinds.apps.deployment import RECREATE, Deployment
from master.kinds.apps.replicaset import ReplicaSet
from master.kinds.workload.rolling import scaled
from master.objects.scalars import MAX_INT32


@dataclass(frozen=True, slots=True)
class Rollout:
    """A deployment with its replica sets: the one of the current template, and the old ones by age, oldest first."""

    deployment: Deployment
    new: ReplicaSet | None
    old: tuple[ReplicaSet, ...]

    @classmethod
    def of(cls, deployment: Deployment, sets: Sequence[ReplicaSet]) -> Rollout:
        new = current(deployment, sets)
        return cls(deployment, new, tuple(rs for rs in by_age(sets) if rs is not new))

    @property
    def all(self) -> tuple[ReplicaSet, ...]:
        return self.old if self.new is None else (*self.old, self.new)

    @property
    def active(self) -> tuple[ReplicaSet, ...]:
        """The replica sets that shall have pods."""
        return tuple(rs for rs in self.all if size(rs))

    @property
    def active_old(self) -> tuple[ReplicaSet, ...]:
        return tuple(rs for rs in self.old if size(rs))

    @property
    def replicas(self) -> int:
        """The desired number of pods."""
        wanted = self.deployment.spec.replicas
        return 1 if wanted is None else wanted

    @property
    def surge(self) -> int:
        """How many pods more than desired there may be."""
        return self._limits()[0]

    @property
    def unavailable(self) -> int:
        """How many of the desired pods may be unavailable."""
        return min(self._limits()[1], self.replicas)

    def _limits(self) -> tuple[int, int]:
        rolling = self.deployment.spec.strategy.rolling_update
        if self.deployment.spec.strategy.type == RECREATE or rolling is None:
            return 0, 0
        surge = scaled(rolling.max_surge, self.replicas, round_up=True)
        unavailable = scaled(rolling.max_unavailable, self.replicas, round_up=False)
        # Both can be 0 after rounding: then one pod may be missing, or nothing could ever change.
        return surge, unavailable if surge or unavailable else 1


@dataclass(frozen=True, slots=True)
class Resize:
    """The new size of a replica set. `always`: write it even if the size stays, because its annotations change."""

    target: ReplicaSet
    to: int
    always: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done next. `create`: make the replica set of the current template, with this size.

    `remove`: old replica sets that the history does not need. `rolls`: whether the step belongs to a rollout, whose
    progress is observed; otherwise the deployment was only scaled, or is paused.
    """

    create: int | None = None
    resize: tuple[Resize, ...] = ()
    remove: tuple[ReplicaSet, ...] = field(default=())
    rolls: bool = True


def size(rs: ReplicaSet) -> int:
    """The desired number of pods of a replica set."""
    return 1 if rs.spec.replicas is None else rs.spec.replicas


def next_step(rollout: Rollout, *, old_pods: bool) -> Step:
    """What is to be done next. `old_pods`: whether pods of old replica sets run, terminating ones included."""
    deployment = rollout.deployment
    if deployment.spec.paused:
        return Step(resize=_scale(rollout), remove=unneeded(rollout), rolls=False)
    if _was_scaled(rollout):
        return Step(resize=_scale(rollout), rolls=False)
    if deployment.spec.strategy.type == RECREATE:
        return _recreate(rollout, old_pods=old_pods)
    return _roll(rollout)


def _was_scaled(rollout: Rollout) -> bool:
    """Whether a replica set got its size for another number of desired pods."""
    if rollout.deployment.spec.strategy.type == RECREATE and len(rollout.active) > 1:
        # The strategy was changed during a rolling update. The old ones lose all pods anyway.
        return False
    found = (_number(rs, DESIRED) for rs in rollout.active)
    return any(desired is not None and desired != rollout.replicas for desired in found)


def _number(rs: ReplicaSet, annotation: str) -> int | None:
    text = rs.metadata.annotations.get(annotation, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


# -- Recreate ------------------------------------------------------------------------------------------------------


def _recreate(rollout: Rollout, *, old_pods: bool) -> Step:
    if rollout.active_old:
        return Step(resize=tuple(Resize(rs, 0) for rs in rollout.active_old))
    if old_pods or any(rs.status.replicas for rs in rollout.old):
        return Step()
    if rollout.new is None:
        return Step(create=rollout.replicas)
    if size(rollout.new) != rollout.replicas:
        return Step(resize=(Resize(rollout.new, rollout.replicas),))
    return Step(remove=unneeded(rollout) if is_complete(rollout) else ())


# -- RollingUpdate -------------------------------------------------------------------------------------------------


def _roll(rollout: Rollout) -> Step:
    if rollout.new is None:
        return Step(create=_new_size(rollout, 0))
    wanted = min(_new_size(rollout, size(rollout.new)), rollout.replicas)
    if wanted != size(rollout.new):
        return Step(resize=(Resize(rollout.new, wanted),))
    resize = _shrink_old(rollout, rollout.new)
    if resize:
        return Step(resize=resize)
    return Step(remove=unneeded(rollout) if is_complete(rollout) else ())


def _new_size(rollout: Rollout, now: int) -> int:
    """The size of the new replica set, which has `now` pods: as many more as may be added."""
    room = rollout.replicas + rollout.surge - sum(map(size, rollout.all))
    return now + min(max(room, 0), max(rollout.replicas - now, 0))


def _shrink_old(rollout: Rollout, new: ReplicaSet) -> tuple[Resize, ...]:
    """The smaller sizes of old replica sets: first by their pods that are not available, then by others."""
    old, at_least = rollout.active_old, rollout.replicas - rollout.unavailable
    # Pods of the new replica set that are not available yet must not make more old ones go.
    spare = sum(map(size, rollout.all)) - at_least - (size(new) - new.status.available_replicas)
    if spare <= 0:
        return ()
    sizes = [size(rs) for rs in old]
    for index, rs in enumerate(old):
        fewer = min(spare, max(size(rs) - rs.status.available_replicas, 0))
        sizes[index] -= fewer
        spare -= fewer
    surplus = sum(rs.status.available_replicas for rs in (*old, new)) - at_least
    for index, left in enumerate(sizes):
        fewer = min(left, max(surplus, 0))
        sizes[index] -= fewer
        surplus -= fewer
    return tuple(Resize(rs, to) for rs, to in zip(old, sizes, strict=True) if to != size(rs))


# -- scaling a deployment ------------------------------------------------------------------------------------------


def _scale(rollout: Rollout) -> tuple[Resize, ...]:
    """The sizes after the deployment was scaled: the only active replica set gets all pods, several get their share."""
    active = rollout.active
    if len(active) <= 1:
        target = active[0] if active else rollout.new or (rollout.old[-1] if rollout.old else None)
        return () if target is None or size(target) == rollout.replicas else (Resize(target, rollout.replicas),)
    if _is_saturated(rollout):
        return tuple(Resize(rs, 0) for rs in rollout.active_old)
    return _share(rollout)


def _is_saturated(rollout: Rollout) -> bool:
    """Whether the new replica set has all desired pods available."""
    new, wanted = rollout.new, rollout.replicas
    return (
        new is not None
        and size(new) == wanted
        and _number(new, DESIRED) == wanted
        and new.status.available_replicas == wanted
    )


def _share(rollout: Rollout) -> tuple[Resize, ...]:
    """Each active replica set grows or shrinks in proportion to its size. What rounding leaves, the largest takes."""
    most = rollout.replicas + rollout.surge if rollout.replicas else 0
    change = most - sum(map(size, rollout.active))
    # Of replica sets of one size, the newer ones grow first, and the older ones shrink first.
    ordered = by_age(rollout.active)
    if change > 0:
        ordered.reverse()
    ordered.sort(key=size, reverse=True)
    sizes: list[int] = []
    done = 0
    for rs in ordered:
        part = _part(rollout, rs, change, done) if change else 0
        sizes.append(size(rs) + part)
        done += part
    sizes[0] = max(0, sizes[0] + change - done)
    return tuple(Resize(rs, to, always=True) for rs, to in zip(ordered, sizes, strict=True))


def _part(rollout: Rollout, rs: ReplicaSet, change: int, done: int) -> int:
    """The share of one replica set in the change, of which `done` is given away already."""
    left = change - done
    if not left:
        return 0
    part = _fraction(rollout, rs)
    return min(part, left) if change > 0 else max(part, left)


def _fraction(rollout: Rollout, rs: ReplicaSet) -> int:
    if not rollout.replicas:
        return -size(rs)
    before = _number(rs, MOST) or rollout.deployment.status.replicas
    if not before:
        return 0
    # Rounded half away from zero, as in Kubernetes.
    exact = size(rs) * (rollout.replicas + rollout.surge) / before
    return int(exact + 0.5) - size(rs)


# -- history -------------------------------------------------------------------------------------------------------


def is_complete(rollout: Rollout) -> bool:
    """Whether the deployment reports that all its pods have the current template and are available."""
    status, wanted = rollout.deployment.status, rollout.replicas
    return (
        status.updated_replicas == status.replicas == status.available_replicas == wanted
        and status.observed_generation >= rollout.deployment.metadata.generation
    )


def unneeded(rollout: Rollout) -> tuple[ReplicaSet, ...]:
    """The old replica sets without pods that exceed the limit of the history, the oldest revisions first."""
    limit = rollout.deployment.spec.revision_history_limit
    if limit is None or limit == MAX_INT32:
        return ()
    kept = [rs for rs in rollout.old if not rs.metadata.deletion_timestamp]
    kept.sort(key=lambda rs: revision(rs.metadata.annotations))
    return tuple(rs for rs in kept[: max(len(kept) - limit, 0)] if _is_empty(rs))


def _is_empty(rs: ReplicaSet) -> bool:
    observed = rs.status.observed_generation >= rs.metadata.generation
    return not rs.status.replicas and not size(rs) and observed
