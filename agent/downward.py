"""The downward API: what a pod learns about itself, by variables and by files. Pure functions.

The forms are the kubelet's (pkg/fieldpath and pkg/api/v1/resource of Kubernetes).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from agent.model import Pod, ResourceField
from agent.statuses import Capacity

_INDEXED: Final = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_ESCAPES: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}
_BEYOND_16_BITS: Final = 0x10000


def metadata_field(pod: Pod, path: str) -> str | None:
    """A field of the pod's metadata by its path; None for another path. A missing label is empty."""
    if path in ("metadata.labels", "metadata.annotations"):
        return format_map(pod.labels if path == "metadata.labels" else pod.annotations)
    if indexed := _INDEXED.fullmatch(path):
        return (pod.labels if indexed[1] == "labels" else pod.annotations).get(indexed[2], "")
    names = {"metadata.name": pod.name, "metadata.namespace": pod.namespace, "metadata.uid": str(pod.uid)}
    return names.get(path)


def reads_labels(path: str) -> bool:
    """Whether the field is, or is one of, the labels or annotations: only these change during a pod's life."""
    return path.startswith(("metadata.labels", "metadata.annotations"))


def format_map(values: Mapping[str, str]) -> str:
    """One line `KEY="VALUE"` for each entry, sorted by key."""
    return "\n".join(f"{key}={quoted(value)}" for key, value in sorted(values.items()))


def quoted(text: str) -> str:
    """The text as a literal of Go (strconv.Quote)."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if (known := _ESCAPES.get(character)) is not None:
        return known
    if character.isprintable():
        return character
    code = ord(character)
    if code < ord(" ") or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _BEYOND_16_BITS else f"\\U{code:08x}"


def resource_value(field: ResourceField, node: Capacity) -> str:
    """The number of a resource. A limit that the container does not have is what the node has."""
    of_node = {"cpu": node.cpu_millis, "memory": node.memory_bytes, "ephemeral-storage": node.ephemeral_storage_bytes}
    amount = of_node.get(field.resource, 0) if field.amount is None else field.amount
    return str(-(-amount // max(field.divisor, 1)))
