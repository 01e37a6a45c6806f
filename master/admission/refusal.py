"""The error with which a plugin refuses an object."""

from __future__ import annotations

from master.api.errors import Forbidden
from master.api.pipeline.attempt import Attempt


def refused(attempt: Attempt, why: str) -> Forbidden:
    """Forbidden, with the resource and the name of the new object before the reason, as in Kubernetes."""
    resource = attempt.request.resource
    meta = attempt.new.metadata
    name = meta.name or meta.generate_name or "Unknown"
    shown = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
    return Forbidden(f'{shown} "{name}" is forbidden: {why}', name=name, group=resource.group, kind=resource.plural)
