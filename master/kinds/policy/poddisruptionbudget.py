"""PodDisruptionBudget: its limit is either a least number of pods or a largest one."""

from __future__ import annotations

import re
from typing import Final

from master.kinds.legacy.poddisruptionbudget import from_stored, to_stored
from master.registry.passive import Supplement
from master.registry.untyped import UntypedStrategy
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.shapes import conditions

_PERCENT: Final = re.compile(r"[0-9]+%")


class PodDisruptionBudgetStrategy(UntypedStrategy):
    """The rules of budgets."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        spec = obj.spec
        if "minAvailable" in spec and "maxUnavailable" in spec:
            findings.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
        for name in ("minAvailable", "maxUnavailable"):
            if name in spec:
                _check_amount(spec[name], f"spec.{name}", findings)

    def check_status(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        conditions(new.status.get("conditions", ()), "status.conditions", findings)


def _check_amount(amount: int | str, at: str, findings: Findings) -> None:
    if isinstance(amount, int):
        if amount < 0:
            findings.invalid(at, amount, "must be greater than or equal to 0")
    elif not _PERCENT.fullmatch(amount):
        findings.invalid(at, amount, "a valid percent string must be a numeric string followed by an ending '%'")
    elif int(amount[:-1]) > 100:
        findings.invalid(at, amount, "must not be greater than 100%")


PODDISRUPTIONBUDGET: Final = Supplement(PodDisruptionBudgetStrategy, conversions={"v1beta1": (from_stored, to_stored)})
