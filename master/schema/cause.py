"""One problem of a request, as the `causes` of a Kubernetes `Status` list them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """One problem. `reason`: FieldValueInvalid, FieldValueRequired …; `field`: such as `spec.ports[0].port`."""

    reason: str
    message: str
    field: str = ""
