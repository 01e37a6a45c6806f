"""Binding: the assignment of a pod to a node, by the scheduler or by a client. A pod can be assigned only once."""

from __future__ import annotations

from typing import Any

from msgspec import field
from msgspec.structs import replace

from master.api.errors import BadRequest, Conflict, Invalid
from master.api.pipeline.request import Permit
from master.api.resources import Resources
from master.cache import Entry
from master.kinds.core.pod.model import Pod, PodCondition
from master.objects.meta import Object, ObjectReference, timestamp
from master.registry.subresource import Action, Part, Served
from master.schema.checks import Findings
from master.schema.names import dns_subdomain
from master.schema.schema import Typed

# Only the node and the condition change, so nothing else is completed or checked.
# As in Kubernetes, managedFields do not mention it.
_ASSIGNMENT = Part("binding", take=lambda new, old: new, tracked=False)


class Binding(Object, frozen=True, kw_only=True):
    """Assigns a pod to the node `target`."""

    target: ObjectReference = field(default_factory=ObjectReference)


async def assign(resources: Resources, permit: Permit, node: str, *, uid: str = "") -> None:
    """Assigns the pod of the request. Raises NotFound, or Conflict if it cannot be assigned or has another `uid`."""
    scheduled = PodCondition(type="PodScheduled", status="True", last_transition_time=timestamp(resources.clock.now()))

    def assigned(entry: Entry) -> Pod:
        pod: Pod = entry.obj
        if why := _refusal(pod, uid):
            raise Conflict.of(permit.request.resource, entry.name, why)
        others = tuple(condition for condition in pod.status.conditions if condition.type != "PodScheduled")
        return replace(
            pod,
            spec=replace(pod.spec, node_name=node),
            status=replace(pod.status, conditions=(*others, scheduled)),
        )

    await resources.pipeline.change(permit, assigned, part=_ASSIGNMENT)


def _refusal(pod: Pod, uid: str) -> str:
    """Why the pod cannot be assigned; empty if it can."""
    if uid and pod.metadata.uid != uid:
        return f"the pod was replaced by another one with uid {pod.metadata.uid}"
    if pod.metadata.deletion_timestamp:
        return "the pod is being deleted, cannot be assigned to a node"
    if pod.spec.node_name:
        return f'pod {pod.metadata.name} is already assigned to node "{pod.spec.node_name}"'
    if pod.spec.scheduling_gates:
        return f"pod {pod.metadata.name} has non-empty .spec.schedulingGates"
    return ""


async def _act(resources: Resources, permit: Permit, binding: Binding) -> dict[str, Any]:
    meta, name = binding.metadata, permit.request.name
    if meta.name and meta.name != name:
        why = f"the name of the object ({meta.name}) does not match the name on the URL ({name})"
        raise BadRequest.at("metadata.name", why)
    _check(binding, name)
    await assign(resources, permit, binding.target.name, uid=meta.uid)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _check(binding: Binding, pod: str) -> None:
    """Checks that the target is a node and has a valid name. Raises Invalid."""
    findings = Findings()
    target = binding.target
    findings.one_of("target.kind", target.kind, ("", "Node"))
    if not target.name:
        findings.required("target.name")
    else:
        findings.form("target.name", target.name, dns_subdomain(target.name))
    if findings:
        raise Invalid.of_kind("Binding", pod, findings.causes)


BINDING = Action("binding", Served("Binding"), Typed(Binding), act=_act)
"""The subresource `binding` of pods."""
