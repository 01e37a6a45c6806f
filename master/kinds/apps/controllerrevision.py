"""ControllerRevision: an earlier state of a DaemonSet or StatefulSet. It is stored; no controller makes it yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from master.objects.meta import Object, OwnerReference, always
from master.objects.scalars import Natural64
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, Strategy
from master.registry.table import AGE, NAME, Cell, Column, Table, age
from master.schema.checks import Findings
from master.schema.schema import Typed


class ControllerRevision(Object, frozen=True, kw_only=True):
    """A state of a DaemonSet or StatefulSet (`data`), which cannot be changed. `revision` is its place in the order."""

    data: Any = None
    revision: Natural64 = always(0)


class ControllerRevisionStrategy(Strategy[ControllerRevision]):
    """The data is an object, and stays."""

    def check(
        self, obj: ControllerRevision, old: ControllerRevision | None, findings: Findings, keyspace: Keyspace
    ) -> None:
        if old is not None:
            return
        if obj.data is None:
            findings.required("data", "data is mandatory")
        elif not isinstance(obj.data, dict):
            findings.required("data", "data must be a valid JSON object")

    def check_update(self, new: ControllerRevision, old: ControllerRevision, findings: Findings) -> None:
        if new.data != old.data:
            findings.invalid("data", new.data, "field is immutable")


def _controller(owners: Sequence[OwnerReference]) -> str:
    owner = next((owner for owner in owners if owner.controller), None)
    if owner is None:
        return "<none>"
    group = owner.api_version.rpartition("/")[0]
    kind = f"{owner.kind.lower()}.{group}" if group else owner.kind.lower()
    return f"{kind}/{owner.name}"


def _cells(obj: ControllerRevision, now: datetime) -> Sequence[Cell]:
    meta = obj.metadata
    return meta.name, _controller(meta.owner_references), obj.revision, age(meta.creation_timestamp, now)


_TABLE = Table(
    (
        NAME,
        Column("Controller", description="The object whose state it is."),
        Column("Revision", description="The place of the state in the order of all states."),
        AGE,
    ),
    _cells,
)

CONTROLLERREVISION = Resource(
    kind="ControllerRevision",
    plural="controllerrevisions",
    group="apps",
    schema=Typed(ControllerRevision),
    strategy=ControllerRevisionStrategy(),
    table=_TABLE,
)
