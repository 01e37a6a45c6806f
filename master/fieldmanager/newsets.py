"""The set of fields of a new object as text, computed once for equal parts of different objects.

Most pods are made from templates: their specs are equal, and so are the fields that these name. A set is therefore made
of the texts for each top-level field, and the texts for large ones are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from master.fieldmanager.comparison import Differences
from master.fieldmanager.fieldset import FieldSet
from master.fieldmanager.ownership import UNTRACKED
from master.fieldmanager.shapes import Record
from master.objects.meta import ObjectMeta

# Bytes of all values that are kept as keys. Their sets take about as much.
_MAX_BYTES: Final = 1 << 20
# A longer value is not kept, because it would push out many others; a shorter one is computed as quickly as found.
_LONGEST: Final = 64 << 10
_SHORTEST: Final = 256
_encode = msgspec.json.Encoder().encode
_TYPE: Final = ("apiVersion", "kind")
"""Fields that no manager owns."""
_Key = tuple[Record, str, bytes]


class NewSets:
    """Makes the sets, and keeps those that were used last."""

    def __init__(self, *, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: dict[_Key, bytes] = {}

    def json(self, texts: dict[str, bytes]) -> bytes:
        """The set, from the texts of the top-level fields. Empty if there is nothing in it."""
        parts = [b"%b:%b" % (_encode(f"f:{name}"), texts[name]) for name in sorted(texts) if texts[name]]
        return b"{%b}" % b",".join(parts) if parts else b""

    def texts(self, shape: Record, before: dict[str, Any], after: dict[str, Any], reset: FieldSet) -> dict[str, bytes]:
        """For each top-level field: the fields of `after` that `before`, an object with nothing set, does not have.

        `before` must be the same for all objects of a shape. `reset`: top-level fields that do not count.
        """
        return {
            name: self.text(shape, name, before, value)
            for name, value in after.items()
            if name not in _TYPE and f"f:{name}" not in reset.node and before.get(name) != value
        }

    def text(self, shape: Record, name: str, before: dict[str, Any], value: Any) -> bytes:
        """The text for one field; empty if there is nothing in it."""
        compute = partial(_computed, shape, name, {name: before[name]} if name in before else {}, {name: value})
        encoded = _encode(value)
        if not _SHORTEST <= len(encoded) <= _LONGEST:
            return compute()
        return self._known((shape, name, encoded), compute)

    def metadata(self, shape: Record, meta: ObjectMeta) -> bytes:
        """The text for new metadata, from what it depends on: all other fields have no owners, or are not set yet."""
        owned = (bool(meta.generate_name), [*meta.labels], [*meta.annotations], meta.finalizers, meta.owner_references)

        def compute() -> bytes:
            return _computed(shape, "metadata", {}, {"metadata": msgspec.to_builtins(replace(meta, managed_fields=()))})

        return self._known((shape, "metadata", _encode(owned)), compute)

    def _known(self, key: _Key, compute: Callable[[], bytes]) -> bytes:
        text = self._kept.pop(key, None)
        if text is None:
            text = compute()
            self._bytes += len(key[2])
        # The last one in the order of the dict is the one that was used last.
        self._kept[key] = text
        while self._bytes > self._max_bytes:
            oldest = next(iter(self._kept))
            self._bytes -= len(oldest[2])
            del self._kept[oldest]
        return text


def _computed(shape: Record, name: str, before: dict[str, Any], after: dict[str, Any]) -> bytes:
    differences = Differences()
    shape.compare_fields(before, after, differences)
    node = (differences.comparison().set - UNTRACKED).node.get(f"f:{name}")
    return b"" if node is None else FieldSet(node).json()
