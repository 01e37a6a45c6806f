"""Whether an object is ready, and what it says when it is not. Pure: objects in, words out."""

from __future__ import annotations

from client.rest import Document


def lacking(kind: str, found: Document, endpoints: Document | None = None) -> str:
    """What an object of this kind lacks to be ready, in words; empty: nothing. `endpoints`: those of a Service."""
    match kind:
        case "Pod":
            return _pod(found)
        case "Node":
            return "" if _condition(found, "Ready") == "True" else "its condition Ready is not True"
        case "ReplicationController":
            return _controller(found)
        case "Service" if found["spec"].get("selector") and endpoints is not None:
            ready = [subset for subset in endpoints.get("subsets") or [] if subset.get("addresses")]
            return "" if ready else "no endpoint is ready"
    return ""


def _pod(pod: Document) -> str:
    status = pod.get("status", {})
    if _condition(pod, "Ready") == "True" or status.get("phase") == "Succeeded":
        return ""
    states = [entry.get("state", {}) for entry in status.get("containerStatuses") or []]
    troubles = [state.get("waiting") or state.get("terminated") or {} for state in states]
    troubles += [entry for entry in status.get("conditions") or [] if entry["status"] != "True"]
    words = [f"{entry.get('reason', '')} {entry.get('message', '')}".strip() for entry in troubles]
    return f"{status.get('phase', 'Pending')} {next((word for word in words if word), '')}".rstrip()


def _controller(controller: Document) -> str:
    """Its status must be of its present spec: an older one may happen to have the right number."""
    wanted, status = controller["spec"].get("replicas", 1), controller.get("status", {})
    ready = status.get("readyReplicas", 0)
    seen = status.get("observedGeneration", 0) >= controller["metadata"].get("generation", 0)
    return "" if seen and ready == wanted == status.get("replicas", 0) else f"{ready} of {wanted} replicas are ready"


def _condition(found: Document, kind: str) -> str:
    conditions = found.get("status", {}).get("conditions") or []
    return next((str(entry["status"]) for entry in conditions if entry["type"] == kind), "")
