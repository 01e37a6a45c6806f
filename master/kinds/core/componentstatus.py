"""ComponentStatus: the cell with the health. There are no objects of this kind."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from master.registry.passive import Supplement
from master.registry.table import Cell
from master.schema.data import Untyped


def _status(obj: Untyped, now: datetime) -> Cell:
    conditions = obj.content.get("conditions", ())
    healthy = next((condition.get("status") for condition in conditions if condition.get("type") == "Healthy"), None)
    return "Unknown" if healthy is None else "Healthy" if healthy == "True" else "Unhealthy"


COMPONENTSTATUS: Final = Supplement(cells={"Status": _status})
