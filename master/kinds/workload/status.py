"""The subresource `status` of workloads: what a write of it may change, and checks of its numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from master.objects.meta import json_name
from master.registry.subresource import METADATA, Part, take_status
from master.schema.checks import Findings


def status_part(check: Callable[[Any, Any, Findings], None] | None = None, *, labels: bool = True) -> Part:
    """The subresource. As in Kubernetes, a write of it may change annotations and, unless `labels` is false, labels.

    `check(new, old, findings)` has the rules about several fields of the status.
    """

    metadata = METADATA if labels else ("annotations",)
    return Part("status", take=take_status, attribute="status", check=check, metadata=metadata)


def check_at_most(status: Any, names: tuple[str, ...], most: str, findings: Findings) -> None:
    """None of the numbers (attributes of a status) may be larger than the number `most`."""
    limit = getattr(status, most) or 0
    for name in names:
        value = getattr(status, name) or 0
        if value > limit:
            findings.invalid(f"status.{json_name(name)}", value, f"cannot be greater than status.{json_name(most)}")


def check_replicas(new: Any, old: Any, findings: Findings) -> None:
    """No number of a status is larger than the one that includes it."""
    names = ("fully_labeled_replicas", "ready_replicas", "available_replicas")
    check_at_most(new.status, names, "replicas", findings)
    check_at_most(new.status, ("available_replicas",), "ready_replicas", findings)


def check_not_less(new: Any, old: Any, name: str, findings: Findings) -> None:
    """The number may not become smaller."""
    value = getattr(new.status, name) or 0
    # A negative number is reported already.
    if 0 <= value < (getattr(old.status, name) or 0):
        findings.invalid(f"status.{json_name(name)}", value, "cannot be decremented")
