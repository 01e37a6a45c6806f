"""ServiceCIDR and IPAddress: ranges of addresses for services, and single addresses."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Final

from master.registry.passive import Supplement
from master.registry.table import Cell
from master.registry.untyped import UntypedStrategy
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.forms import canonical_network


class ServiceCIDRStrategy(UntypedStrategy):
    """The rules of ranges for services."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        cidrs = obj.spec.get("cidrs") or []
        if len(cidrs) > 2:
            findings.invalid("spec.cidrs", cidrs, "may only hold up to 2 values")
        elif len(cidrs) == 2 and not any(map(canonical_network, cidrs)):
            first, second = (ipaddress.ip_network(cidr).version for cidr in cidrs)
            if first == second:
                findings.invalid("spec.cidrs", cidrs, "may specify no more than one IP for each IP family")

    def check_update(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        """A range stays. One of the other family may be added."""
        before, after = (obj.spec.get("cidrs") or [] for obj in (old, new))
        if len(before) > len(after):
            findings.invalid("spec.cidrs", after, "field is immutable")
        for index, (one, other) in enumerate(zip(before, after, strict=False)):
            if one != other:
                findings.invalid(f"spec.cidrs[{index}]", other, "field is immutable")


def _parent(obj: Untyped, now: datetime) -> Cell:
    parent = obj.spec.get("parentRef")
    if parent is None:
        return "<none>"
    resource = ".".join(part for part in (parent.get("resource", ""), parent.get("group", "")) if part).lower()
    return "/".join(part for part in (resource, parent.get("namespace", ""), parent.get("name", "")) if part)


SERVICECIDR: Final = Supplement(ServiceCIDRStrategy)
IPADDRESS: Final = Supplement(cells={"ParentRef": _parent})
