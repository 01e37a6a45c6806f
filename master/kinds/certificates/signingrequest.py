"""CertificateSigningRequest: its requester, what may change, and which subresource writes which condition.

The subresource `approval` writes the conditions; `status` the certificate and other conditions.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from master.objects.meta import timestamp
from master.pki.checks import certificates_problem, request_problem
from master.registry.passive import Supplement
from master.registry.subresource import Part
from master.registry.table import Cell
from master.registry.untyped import UntypedStrategy, with_status
from master.schema.checks import Findings
from master.schema.data import Untyped

_DECISIONS: Final = ("Approved", "Denied")
_ALWAYS_TRUE: Final = (*_DECISIONS, "Failed")
_LEGACY: Final = "kubernetes.io/legacy-unknown"

Conditions = Sequence[dict[str, Any]]


class SigningRequestStrategy(UntypedStrategy):
    """The rules of requests for certificates."""

    def for_update(self, new: Untyped, old: Untyped, now: datetime) -> Untyped:
        """Only the metadata can be changed; the rest has subresources."""
        return replace(old, metadata=new.metadata)

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        spec = obj.spec
        if problem := request_problem(_decoded(spec.get("request"))):
            findings.invalid("spec.request", spec.get("request"), problem)
        if spec.get("signerName") == _LEGACY:
            findings.invalid("spec.signerName", _LEGACY, "the legacy signerName is not allowed via this API version")

    def stamp_status(self, new: Untyped, old: Untyped, now: datetime) -> Untyped:
        """The approval and the times of conditions stay as they are, unless they are new."""
        before = {item["type"]: item for item in _conditions(old) if item.get("type") in _DECISIONS}
        kept = [before.get(item.get("type", ""), item) for item in _conditions(new)]
        return with_status(new, {**new.status, **_dated(kept, _conditions(old), now)})

    def check_status(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        _check_conditions(_conditions(new), _conditions(old), findings)
        before, after = _types(_conditions(old)), _types(_conditions(new))
        for type_ in _DECISIONS:
            if type_ in after and type_ not in before:
                findings.forbidden("status.conditions", f'updates may not add a condition of type "{type_}"')
        certificate = new.status.get("certificate")
        issued = (old.status or {}).get("certificate")
        if issued and certificate != issued:
            findings.forbidden("status.certificate", "updates may not modify existing certificate content")
        if certificate and (problem := certificates_problem(_decoded(certificate))):
            findings.invalid("status.certificate", "<certificate data>", problem)


def _decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _conditions(obj: Untyped) -> Conditions:
    conditions: Conditions = (obj.status or {}).get("conditions") or ()
    return conditions


def _types(conditions: Conditions) -> set[str]:
    return {item.get("type", "") for item in conditions}


def _dated(conditions: Conditions, before: Conditions, now: datetime) -> dict[str, Any]:
    """The conditions with times. A condition that has the same status as before keeps its time of transition."""
    dated = []
    for item in conditions:
        same = (old for old in before if (old.get("type"), old.get("status")) == (item.get("type"), item.get("status")))
        since = next((old["lastTransitionTime"] for old in same if old.get("lastTransitionTime")), timestamp(now))
        times = {"lastUpdateTime": timestamp(now), "lastTransitionTime": since}
        dated.append({**item, **{name: item.get(name) or value for name, value in times.items()}})
    return {"conditions": dated} if dated else {}


def _check_conditions(conditions: Conditions, before: Conditions, findings: Findings) -> None:
    for type_ in _ALWAYS_TRUE:
        if type_ in _types(before) and type_ not in _types(conditions):
            findings.forbidden("status.conditions", f'updates may not remove a condition of type "{type_}"')
    seen: set[str] = set()
    for index, item in enumerate(conditions):
        at, type_, status = f"status.conditions[{index}]", item.get("type", ""), item.get("status", "")
        if not status:
            findings.required(f"{at}.status")
        else:
            findings.one_of(
                f"{at}.status", status, ("True",) if type_ in _ALWAYS_TRUE else ("False", "True", "Unknown")
            )
        if type_ in seen:
            findings.duplicate(f"{at}.type", type_)
        seen.add(type_)
    if seen.issuperset(_DECISIONS):
        why = "Approved and Denied conditions are mutually exclusive"
        findings.invalid("status.conditions", list(_DECISIONS), why)


def _take_approval(new: Untyped, old: Untyped) -> Untyped:
    """The old object with the new conditions."""
    return with_status(old, {**(old.status or {}), "conditions": list(_conditions(new))})


def _stamp_approval(new: Untyped, old: Untyped, now: datetime) -> Untyped:
    return with_status(new, {**new.status, **_dated(_conditions(new), _conditions(old), now)})


def _check_approval(new: Untyped, old: Untyped, findings: Findings) -> None:
    _check_conditions(_conditions(new), _conditions(old), findings)


def _condition(obj: Untyped, now: datetime) -> Cell:
    types = _types(_conditions(obj))
    decision = "Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending"
    parts = [decision, *(["Failed"] if "Failed" in types else [])]
    return ",".join([*parts, *(["Issued"] if (obj.status or {}).get("certificate") else [])])


APPROVAL: Final = Part(
    "approval", take=_take_approval, attribute="status", check=_check_approval, stamp=_stamp_approval
)
CERTIFICATESIGNINGREQUEST: Final = Supplement(
    SigningRequestStrategy, cells={"Condition": _condition}, subresources=(APPROVAL,)
)
