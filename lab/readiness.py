"""Decides whether an object is ready, and describes what is missing. Pure functions of objects."""

from __future__ import annotations

from client.rest import Document


def lacking(kind: str, document: Document, endpoints: Document | None = None) -> str:
    """Why an object of this kind is not ready; empty if it is ready. `endpoints`: the Endpoints of a Service."""
    match kind:
        case "Pod":
            return _pod(document)
        case "Node":
            return "" if _condition(document, "Ready") == "True" else "its condition Ready is not True"
        case "ReplicationController":
            return _controller(document)
        case "Service" if document["spec"].get("selector") and endpoints is not None:
            ready = [subset for subset in endpoints.get("subsets") or [] if subset.get("addresses")]
            return "" if ready else "no endpoint is ready"
    return ""


def _pod(pod: Document) -> str:
    status = pod.get("status", {})
    if _condition(pod, "Ready") == "True" or status.get("phase") == "Succeeded":
        return ""
    states = [entry.get("state", {}) for entry in status.get("containerStatuses") or []]
    problems = [state.get("waiting") or state.get("terminated") or {} for state in states]
    problems += [entry for entry in status.get("conditions") or [] if entry["status"] != "True"]
    reasons = [f"{entry.get('reason', '')} {entry.get('message', '')}".strip() for entry in problems]
    return f"{status.get('phase', 'Pending')} {next((reason for reason in reasons if reason), '')}".rstrip()


def _controller(controller: Document) -> str:
    """Compares generations too: the status of an older spec may have the right number by chance."""
    desired, status = controller["spec"].get("replicas", 1), controller.get("status", {})
    ready = status.get("readyReplicas", 0)
    is_current = status.get("observedGeneration", 0) >= controller["metadata"].get("generation", 0)
    if is_current and ready == desired == status.get("replicas", 0):
        return ""
    return f"{ready} of {desired} replicas are ready"


def _condition(document: Document, kind: str) -> str:
    conditions = document.get("status", {}).get("conditions") or []
    return next((str(entry["status"]) for entry in conditions if entry["type"] == kind), "")
