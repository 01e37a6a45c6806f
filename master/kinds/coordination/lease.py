"""Lease: a preferred holder needs a strategy."""

from __future__ import annotations

from typing import Final

from master.registry.passive import Supplement
from master.registry.untyped import UntypedStrategy
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.names import qualified_name

_STRATEGIES: Final = ("OldestEmulationVersion",)


class LeaseStrategy(UntypedStrategy):
    """The rules of leases."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        strategy = obj.spec.get("strategy")
        if strategy is not None:
            # A name without a domain is one of Kubernetes. As there, the path names the field twice then.
            if "/" in strategy:
                findings.form("spec.strategy", strategy, qualified_name(strategy))
            else:
                findings.one_of("spec.strategy.strategy", strategy, _STRATEGIES)
        if obj.spec.get("preferredHolder") and not strategy:
            findings.forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined")


LEASE: Final = Supplement(LeaseStrategy)
