"""The query parameters of writes that managedFields need: their checks, in the form of Kubernetes."""

from __future__ import annotations

from typing import Final

from master.api.errors import Invalid
from master.api.rest.query import Query
from master.schema.checks import Findings

MAX_MANAGER_BYTES: Final = 128
"""The longest name of a field manager."""
_GROUP: Final = "meta.k8s.io"


def check(query: Query, verb: str, *, applies: bool = False) -> None:
    """Checks `fieldManager` and `force`. Raises Invalid.

    `applies`: whether the request is an apply, which needs a manager and may be forced.
    """
    manager = query.text("fieldManager")
    force = query.optional_flag("force") if verb == "patch" else None
    if not manager and not applies and force is None:
        return
    findings = Findings()
    if applies and not manager:
        findings.required("fieldManager", "is required for apply patch")
    if force is not None and not applies:
        findings.forbidden("force", "may not be specified for non-apply patch")
    if len(manager.encode()) > MAX_MANAGER_BYTES:
        findings.invalid("fieldManager", manager[:MAX_MANAGER_BYTES], f"may not be more than {MAX_MANAGER_BYTES} bytes")
    for position, character in enumerate(manager):
        if not character.isprintable():
            why = f"invalid character U+{ord(character):04X} (at position {position})"
            findings.invalid("fieldManager", manager[:MAX_MANAGER_BYTES], why)
    if findings:
        raise Invalid.of_kind(f"{verb.capitalize()}Options", "", findings.causes, group=_GROUP)
