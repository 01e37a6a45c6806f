"""Pod: defaults, checks, the few mutable fields, and the quality-of-service class."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from master.kinds.core.pod.defaults import default_pod_spec
from master.kinds.core.pod.model import Pod, PodSpec, PodStatus
from master.kinds.core.pod.validation import check_pod_spec
from master.registry.strategy import Keyspace, Strategy, keep_status
from master.schema.checks import Findings
from master.schema.quantity import parse


class PodStrategy(Strategy[Pod]):
    """A new pod is Pending. Only a few fields of its spec can be changed."""

    def default(self, obj: Pod) -> Pod:
        return replace(obj, spec=default_pod_spec(obj.spec))

    def for_create(self, obj: Pod, now: datetime) -> Pod:
        return replace(obj, status=PodStatus(phase="Pending"))

    def for_update(self, new: Pod, old: Pod, now: datetime) -> Pod:
        return keep_status(new, old)

    def allocate(self, obj: Pod, old: Pod | None, keyspace: Keyspace) -> Pod:
        if obj.status.qos_class:
            return obj
        return replace(obj, status=replace(obj.status, qos_class=qos_class(obj.spec)))

    def check(self, obj: Pod, old: Pod | None, findings: Findings, keyspace: Keyspace) -> None:
        check_pod_spec(obj.spec, "spec", findings)

    def check_update(self, new: Pod, old: Pod, findings: Findings) -> None:
        if new.spec == old.spec:
            return
        if len(new.spec.containers) != len(old.spec.containers):
            findings.forbidden("spec.containers", "pod updates may not add or remove containers")
            return
        if _may_change(new.spec, old.spec) != old.spec:
            findings.forbidden(
                "spec",
                "pod updates may not change fields other than `spec.containers[*].image`,"
                "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to"
                " existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was"
                " previously negative)",
            )
        if not set(map(repr, old.spec.tolerations)) <= set(map(repr, new.spec.tolerations)):
            findings.forbidden(
                "spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"
            )


def _may_change(new: PodSpec, old: PodSpec) -> PodSpec:
    """The new spec with the old values of all mutable fields. Equal to the old spec unless another field changed."""
    inits = new.init_containers
    if len(inits) == len(old.init_containers):
        inits = tuple(replace(n, image=o.image) for n, o in zip(inits, old.init_containers, strict=True))
    return replace(
        new,
        containers=tuple(replace(n, image=o.image) for n, o in zip(new.containers, old.containers, strict=True)),
        init_containers=inits,
        active_deadline_seconds=old.active_deadline_seconds,
        tolerations=old.tolerations,
    )


def qos_class(spec: PodSpec) -> str:
    """The quality-of-service class.

    BestEffort: no container has a request or limit. Guaranteed: all have equal ones for cpu and memory. Else Burstable.
    """
    containers = [*spec.init_containers, *spec.containers]
    if not any(c.resources.requests or c.resources.limits for c in containers):
        return "BestEffort"
    for container in containers:
        for name in ("cpu", "memory"):
            limit, request = container.resources.limits.get(name), container.resources.requests.get(name)
            try:
                if limit is None or request is None or parse(limit) != parse(request):
                    return "Burstable"
            except ValueError:
                return "Burstable"
    return "Guaranteed"
