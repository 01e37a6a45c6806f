"""APIService: its name, its certificate settings, and the cell with its condition."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from master.objects.meta import timestamp
from master.registry.passive import Supplement
from master.registry.table import Cell
from master.registry.untyped import UntypedStrategy, with_status
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.names import dns_1035, dns_subdomain


class APIServiceStrategy(UntypedStrategy):
    """The rules of API services. Versions that this server answers itself are available at once."""

    def for_create(self, obj: Untyped, now: datetime) -> Untyped:
        if "service" in obj.spec:
            return with_status(obj, None)
        reasons = {"reason": "Local", "message": "Local APIServices are always available"}
        condition = {"type": "Available", "status": "True", "lastTransitionTime": timestamp(now), **reasons}
        return with_status(obj, {"conditions": [condition]})

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        spec = obj.spec
        group, version = spec.get("group", ""), spec.get("version", "")
        name = f"{version}.{group}"
        if obj.metadata.name and obj.metadata.name != name:
            findings.invalid("metadata.name", obj.metadata.name, f'must be `spec.version+"."+spec.group`: {name!r}')
        if group:
            findings.form("spec.group", group, dns_subdomain(group))
        elif version != "v1":
            findings.required("spec.group", "only v1 may have an empty group and it better be legacy kube")
        if version:
            findings.form("spec.version", version, dns_1035(version))
        if "service" in spec:
            if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
                findings.invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present")
        else:
            if spec.get("caBundle"):
                findings.invalid("spec.caBundle", "", "local APIServices may not have a caBundle")
            if spec.get("insecureSkipTLSVerify"):
                findings.invalid(
                    "spec.insecureSkipTLSVerify", True, "local APIServices may not have insecureSkipTLSVerify"
                )


def _available(obj: Untyped, now: datetime) -> Cell:
    conditions = (obj.status or {}).get("conditions", ())
    condition = next((item for item in conditions if item.get("type") == "Available"), None)
    if condition is None:
        return "Unknown"
    status: str = condition.get("status", "")
    reason = condition.get("reason", "")
    return f"{status} ({reason})" if status != "True" and reason else status


APISERVICE: Final = Supplement(APIServiceStrategy, cells={"Available": _available})
