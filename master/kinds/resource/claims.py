"""Claims for devices: rules about several fields, and the cells of the tables."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from master.registry.passive import Supplement
from master.registry.table import Cell
from master.schema.schema import Untyped


def _state(obj: Untyped, now: datetime) -> Cell:
    status = obj.status or {}
    states = ["deleted"] if obj.metadata.deletion_timestamp else []
    if "allocation" in status:
        states += ["allocated", *(["reserved"] if status.get("reservedFor") else [])]
    elif not states:
        states.append("pending")
    return ",".join(states)


RESOURCECLAIM: Final = Supplement(cells={"State": _state})
