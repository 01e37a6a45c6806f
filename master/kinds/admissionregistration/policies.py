"""Admission policies, their bindings and webhooks: rules about several fields, and the cells of the tables."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from master.registry.declaredcolumns import selector_text
from master.registry.passive import Supplement
from master.registry.table import Cell
from master.schema.schema import Untyped


def _param_ref(obj: Untyped, now: datetime) -> Cell:
    reference = obj.spec.get("paramRef")
    if reference is None:
        return "<unset>"
    if reference.get("name"):
        return f"{reference.get('namespace') or '*'}/{reference['name']}"
    return selector_text(reference["selector"]) if "selector" in reference else "<unset>"


BINDING: Final = Supplement(cells={"ParamRef": _param_ref})
