"""LimitRange: new pods get the default amounts of their namespace, and pods and claims must keep its limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from master.admission.limits import Limit, violations, violations_of_claim
from master.admission.refusal import refused
from master.api.pipeline.admission import Admission
from master.api.pipeline.attempt import Attempt
from master.kinds import LIMITRANGE, PERSISTENTVOLUMECLAIM, POD
from master.kinds.core.pod.amounts import pod_limits, pod_requests
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import PodSpec
from master.kinds.core.pod.strategy import SPECS
from master.schema.data import Untyped

_ANNOTATION: Final = "kubernetes.io/limit-ranger"
_DELETIONS: Final = ("delete", "deletecollection")
_PREFIX: Final = "LimitRanger plugin set: "

_Limits = tuple[Limit, ...]


class LimitRanges(Admission):
    """Sets default amounts in new pods; refuses new pods, and new and changed claims, that break a limit."""

    resources = (POD, PERSISTENTVOLUMECLAIM)

    async def mutate(self, attempt: Attempt) -> None:
        if not attempt.creates(POD):
            return
        for limits in _of_namespace(attempt):
            pod = attempt.new
            if text := SPECS.result(pod.spec, _additions, limits):
                meta = replace(pod.metadata, annotations={**pod.metadata.annotations, _ANNOTATION: _PREFIX + text})
                attempt.new = replace(pod, metadata=meta, spec=SPECS.changed(pod.spec, _completed, limits))

    async def validate(self, attempt: Attempt) -> None:
        """Raises Forbidden."""
        if attempt.new is None or attempt.request.subresource or attempt.request.verb in _DELETIONS:
            return
        resource = attempt.request.resource
        if attempt.creates(POD):
            for limits in _of_namespace(attempt):
                _refuse(attempt, SPECS.result(attempt.new.spec, _broken_by_pod, limits))
        elif resource is PERSISTENTVOLUMECLAIM and (attempt.old is None or not attempt.old.metadata.deletion_timestamp):
            for limits in _of_namespace(attempt):
                _refuse(attempt, _broken_by_claim(attempt.new, limits))


def _of_namespace(attempt: Attempt) -> Iterator[_Limits]:
    """The limits of each LimitRange, in the order of the names. Most namespaces have none."""
    namespace = attempt.new.metadata.namespace
    if attempt.cache.count(LIMITRANGE, namespace):
        for entry in attempt.cache.entries(LIMITRANGE, namespace):
            yield tuple(Limit.of(item) for item in entry.obj.spec.get("limits") or ())


def _refuse(attempt: Attempt, messages: tuple[str, ...]) -> None:
    """Raises Forbidden if there are messages. Several are in brackets, as in Kubernetes."""
    if messages:
        raise refused(attempt, messages[0] if len(messages) == 1 else f"[{', '.join(messages)}]")


# -- defaults -----------------------------------------------------------------------------------------------------


def _defaults(limits: _Limits) -> tuple[dict[str, str], dict[str, str]]:
    """The default requests and limits of containers."""
    of_containers = [limit for limit in limits if limit.type == "Container"]
    requests = {name: amount for limit in of_containers for name, amount in limit.requests}
    return requests, {name: amount for limit in of_containers for name, amount in limit.limits}


def _additions(spec: PodSpec, limits: _Limits) -> str:
    """Which amounts are added to which containers, as the annotation says it. Empty: none."""
    requests, most = _defaults(limits)
    parts = []
    for text, containers in (("container", spec.containers), ("init container", spec.init_containers)):
        for container in containers:
            own = container.resources
            for kind, missing in (("request", requests.keys() - own.requests), ("limit", most.keys() - own.limits)):
                if missing:
                    parts.append(f"{', '.join(sorted(missing))} {kind} for {text} {container.name}")
    return "; ".join(parts)


def _completed(spec: PodSpec, limits: _Limits) -> PodSpec:
    """The spec in which each container has the default amounts that it does not set itself."""
    requests, most = _defaults(limits)

    def complete(container: Container) -> Container:
        own = container.resources
        resources = replace(own, requests={**requests, **own.requests}, limits={**most, **own.limits})
        return replace(container, resources=resources)

    containers, init_containers = map(complete, spec.containers), map(complete, spec.init_containers)
    return replace(spec, containers=tuple(containers), init_containers=tuple(init_containers))


# -- limits -------------------------------------------------------------------------------------------------------


def _broken_by_pod(spec: PodSpec, limits: _Limits) -> tuple[str, ...]:
    """What breaks the limits of containers and pods, nothing twice."""
    messages: dict[str, None] = {}
    for limit in limits:
        if limit.type == "Container":
            for container in (*spec.containers, *spec.init_containers):
                own = container.resources
                messages |= dict.fromkeys(violations(limit, own.requests, own.limits))
        elif limit.type == "Pod":
            messages |= dict.fromkeys(violations(limit, pod_requests(spec), pod_limits(spec)))
    return tuple(messages)


def _broken_by_claim(claim: Untyped, limits: _Limits) -> tuple[str, ...]:
    requests = claim.spec.get("resources", {}).get("requests", {})
    of_claims = (limit for limit in limits if limit.type == "PersistentVolumeClaim")
    return tuple(message for limit in of_claims for message in violations_of_claim(limit, requests))
