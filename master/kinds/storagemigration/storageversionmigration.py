"""StorageVersionMigration: the cells of its table."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from master.registry.passive import Supplement
from master.registry.table import Cell
from master.registry.untyped import UntypedStrategy
from master.schema.checks import Findings
from master.schema.data import Untyped

_STATES: Final = ("Running", "Failed", "Succeeded")


class StorageVersionMigrationStrategy(UntypedStrategy):
    """The rules of migrations."""

    def check_status(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        conditions = new.status.get("conditions", ())
        done = {item.get("type") for item in conditions if item.get("status") == "True"} & {"Succeeded", "Failed"}
        if len(done) > 1:
            findings.invalid(
                "status.conditions", sorted(done), "Both success and failed conditions cannot be true at the same time"
            )


def _resource(obj: Untyped, now: datetime) -> Cell:
    resource = obj.spec.get("resource", {})
    return ".".join(part for part in (resource.get("resource", ""), resource.get("group", "")) if part)


def _status(obj: Untyped, now: datetime) -> Cell:
    conditions = (obj.status or {}).get("conditions", ())
    states = [item["type"] for item in conditions if item.get("status") == "True" and item.get("type") in _STATES]
    return states[-1] if states else "Unknown"


STORAGEVERSIONMIGRATION: Final = Supplement(
    StorageVersionMigrationStrategy, cells={"Resource": _resource, "Status": _status}
)
