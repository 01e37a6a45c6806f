"""Classes of storage and ingresses, of which one may be the default."""

from __future__ import annotations

from datetime import datetime

from master.registry.declaredcolumns import CellOf
from master.registry.table import Cell
from master.schema.data import Untyped


def name_of_class(*annotations: str) -> CellOf:
    """The cell with the name, and a mark if one of the annotations makes the class the default."""

    def cell(obj: Untyped, now: datetime) -> Cell:
        is_default = any(obj.metadata.annotations.get(annotation) == "true" for annotation in annotations)
        return f"{obj.metadata.name} (default)" if is_default else obj.metadata.name

    return cell
