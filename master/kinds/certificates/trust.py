"""ClusterTrustBundle and PodCertificateRequest: names and certificates, and what may change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from master.pki.checks import authorities_problem
from master.registry.passive import Supplement
from master.registry.table import Cell, pairs
from master.registry.untyped import UntypedStrategy
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.shapes import conditions

_MAX_BYTES: Final = 1 << 20
_STATES: Final = ("Issued", "Denied", "Failed")


class TrustBundleStrategy(UntypedStrategy):
    """The rules of trust bundles."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        name, signer = obj.metadata.name, obj.spec.get("signerName", "")
        prefix = f"{signer.replace('/', ':')}:"
        if signer and not name.startswith(prefix):
            why = f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
            findings.invalid("metadata.name", name, why)
        elif not signer and ":" in name:
            why = 'ClusterTrustBundle without signer name must not have ":" in its name'
            findings.invalid("metadata.name", name, why)
        bundle = obj.spec.get("trustBundle", "")
        if len(bundle) > _MAX_BYTES:
            findings.too_long("spec.trustBundle", _MAX_BYTES)
        elif bundle and (problem := authorities_problem(bundle.encode())):
            findings.invalid("spec.trustBundle", "<value omitted>", problem)


class PodCertificateRequestStrategy(UntypedStrategy):
    """The rules of requests of pods."""

    def check_update(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        if new.spec != old.spec:
            findings.invalid("spec", new.spec, "field is immutable")

    def check_status(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        values = new.status.get("conditions", ())
        conditions(values, "status.conditions", findings)
        states = [item["type"] for item in values if item.get("type") in _STATES]
        if len(states) > 1:
            why = 'There may be at most one condition with type "Issued", "Denied", or "Failed"'
            findings.invalid("status.conditions", states, why)


def _state(obj: Untyped, now: datetime) -> Cell:
    values = (obj.status or {}).get("conditions", ())
    states: list[str] = [item["type"] for item in values if item.get("type") in _STATES]
    return states[-1] if states else "Pending"


def _annotations(obj: Untyped, now: datetime) -> Cell:
    values: Mapping[str, Any] = obj.spec.get("unverifiedUserAnnotations", {})
    return pairs(values)


CLUSTERTRUSTBUNDLE: Final = Supplement(TrustBundleStrategy)
PODCERTIFICATEREQUEST: Final = Supplement(
    PodCertificateRequestStrategy, cells={"State": _state, "UnverifiedUserAnnotations": _annotations}
)
