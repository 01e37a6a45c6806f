"""CustomResourceDefinition: names, versions and schemas, and the cell with its condition."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from master.registry.passive import Supplement
from master.registry.table import Cell
from master.registry.untyped import UntypedStrategy
from master.schema.schema import Untyped


class DefinitionStrategy(UntypedStrategy):
    """The rules of definitions."""

    def default(self, obj: Untyped) -> Untyped:
        spec, status = obj.spec, obj.status or {}
        names = _with_defaults(spec.get("names", {}))
        stored = [version["name"] for version in spec.get("versions") or () if version.get("storage")]
        if not status.get("storedVersions") and stored:
            status = {**status, "storedVersions": stored[:1]}
        return replace(obj, content={**obj.content, "spec": {**spec, "names": names}, "status": status})


def _with_defaults(names: dict[str, Any]) -> dict[str, Any]:
    kind = names.get("kind", "")
    defaults = {"singular": kind.lower(), "listKind": f"{kind}List" if kind else ""}
    return {**names, **{name: value for name, value in defaults.items() if value and not names.get(name)}}


def _established(obj: Untyped, now: datetime) -> Cell:
    conditions = (obj.status or {}).get("conditions") or ()
    return any(item.get("type") == "Established" and item.get("status") == "True" for item in conditions)


CUSTOMRESOURCEDEFINITION: Final = Supplement(DefinitionStrategy, cells={"Established": _established})
