"""ComponentStatus: whether the store can be written. The other components run in the process that answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from master.api.resources import Resources
from master.objects.meta import ObjectMeta
from master.registry.passive import Supplement
from master.registry.table import Cell
from master.schema.data import Untyped
from master.store.errors import StoreError

_STORE: Final = "store"


def _status(obj: Untyped, now: datetime) -> Cell:
    conditions = obj.content.get("conditions", ())
    healthy = next((condition.get("status") for condition in conditions if condition.get("type") == "Healthy"), None)
    return "Unknown" if healthy is None else "Healthy" if healthy == "True" else "Unhealthy"


class _Checked:
    """Checks the store when a client asks."""

    async def all(self, resources: Resources, namespace: str) -> Sequence[Untyped]:
        return [await _store(resources)]

    async def one(self, resources: Resources, namespace: str, name: str) -> Untyped | None:
        return await _store(resources) if name == _STORE else None


async def _store(resources: Resources) -> Untyped:
    condition = {"type": "Healthy", "status": "True", "message": "ok"}
    try:
        await resources.store.check()
    except StoreError as error:
        condition = {"type": "Healthy", "status": "False", "error": f"the store cannot be written: {error}"}
    return Untyped(
        api_version="v1",
        kind="ComponentStatus",
        metadata=ObjectMeta(name=_STORE),
        content={"conditions": [condition]},
    )


COMPONENTSTATUS: Final = Supplement(cells={"Status": _status}, computed=_Checked())
