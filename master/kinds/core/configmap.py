"""ConfigMap: settings for pods."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import field

from master.kinds.core.data import MAX_DATA_BYTES, check_base64
from master.objects.meta import Object
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, Strategy
from master.registry.table import AGE, NAME, Cell, Column, Table, age
from master.schema.checks import Findings
from master.schema.schema import Typed


class ConfigMap(Object, frozen=True, kw_only=True):
    """Settings for pods, as environment variables or files. At most 1 MiB.

    `data` has text, `binaryData` bytes in base64; a key may be in only one of them. With `immutable: true`, neither can
    be changed any more.
    """

    data: dict[str, str] = field(default_factory=dict)
    binary_data: dict[str, str] = field(default_factory=dict)
    immutable: bool | None = None


class ConfigMapStrategy(Strategy[ConfigMap]):
    """At most 1 MiB of data. An immutable config map keeps its data."""

    def check(self, obj: ConfigMap, old: ConfigMap | None, findings: Findings, keyspace: Keyspace) -> None:
        for name, values in (("data", obj.data), ("binaryData", obj.binary_data)):
            for key in values:
                findings.config_key(f"{name}[{key}]", key)
        for key in obj.data.keys() & obj.binary_data.keys():
            findings.invalid(f"binaryData[{key}]", key, f"duplicate of key present in data[{key}]")
        size = sum(len(value.encode()) for value in obj.data.values())
        size += check_base64("binaryData", obj.binary_data, findings)
        if size > MAX_DATA_BYTES:
            findings.too_long("data", MAX_DATA_BYTES)

    def check_update(self, new: ConfigMap, old: ConfigMap, findings: Findings) -> None:
        if not old.immutable:
            return
        if not new.immutable:
            findings.forbidden("immutable", "field is immutable when `immutable` is set")
        if (new.data, new.binary_data) != (old.data, old.binary_data):
            findings.forbidden("data", "field is immutable when `immutable` is set")


def _cells(configmap: ConfigMap, now: datetime) -> Sequence[Cell]:
    size = len(configmap.data) + len(configmap.binary_data)
    return configmap.metadata.name, size, age(configmap.metadata.creation_timestamp, now)


CONFIGMAP = Resource(
    kind="ConfigMap",
    plural="configmaps",
    schema=Typed(ConfigMap),
    short_names=("cm",),
    strategy=ConfigMapStrategy(),
    table=Table((NAME, Column("Data", type="integer", description="The number of keys."), AGE), _cells),
)
