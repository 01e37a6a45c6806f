"""The subresource `status` of workloads: what a write of it may change, and checks of its numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from master.objects.meta import json_name
from master.registry.subresource import Part
from master.schema.checks import Findings


def status_part(check: Callable[[Any, Any, Findings], None] | None = None, *, labels: bool = True) -> Part:
    """The subresource. As in Kubernetes, a write of it may change annotations and, unless `labels` is false, labels.

    `check(new, old, findings)` has the rules about several fields of the status.
    """

    def take(new: Any, old: Any) -> Any:
        meta, before = new.metadata, old.metadata
        wanted = meta.labels if labels else before.labels
        if (meta.annotations, wanted) != (before.annotations, before.labels):
            before = replace(before, annotations=meta.annotations, labels=wanted)
        return replace(old, status=new.status, metadata=before)

    def check_part(new: Any, old: Any, findings: Findings) -> None:
        if new.metadata is not old.metadata:
            findings.labels("metadata.labels", new.metadata.labels)
            findings.annotations("metadata.annotations", new.metadata.annotations)
        if check is not None:
            check(new, old, findings)

    metadata = ("annotations", "labels") if labels else ("annotations",)
    return Part("status", take=take, attribute="status", check=check_part, metadata=metadata)


def check_at_most(status: Any, names: tuple[str, ...], most: str, findings: Findings) -> None:
    """None of the numbers (attributes of a status) may be larger than the number `most`."""
    limit = getattr(status, most) or 0
    for name in names:
        value = getattr(status, name) or 0
        if value > limit:
            findings.invalid(f"status.{json_name(name)}", value, f"cannot be greater than status.{json_name(most)}")


def check_not_less(new: Any, old: Any, name: str, findings: Findings) -> None:
    """The number may not become smaller."""
    value = getattr(new.status, name) or 0
    # A negative number is reported already.
    if 0 <= value < (getattr(old.status, name) or 0):
        findings.invalid(f"status.{json_name(name)}", value, "cannot be decremented")
