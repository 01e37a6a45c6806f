"""Secret: confidential values for pods."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime

from msgspec import field
from msgspec.structs import replace

from master.kinds.core.data import MAX_DATA_BYTES, check_base64
from master.objects.meta import Object
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, Strategy
from master.registry.table import AGE, NAME, Cell, Column, Table, age
from master.schema.checks import Findings
from master.schema.schema import Typed


class Secret(Object, frozen=True, kw_only=True):
    """Confidential values for pods, as environment variables or files. At most 1 MiB.

    `data` has bytes in base64. Text in `stringData` is encoded and moved to `data`. `type` (default Opaque) cannot be
    changed; some types require certain keys, such as tls.crt and tls.key for kubernetes.io/tls. With `immutable: true`,
    the data can no longer be changed.
    """

    data: dict[str, str] = field(default_factory=dict)
    string_data: dict[str, str] = field(default_factory=dict)
    type: str = ""
    immutable: bool | None = None


class SecretStrategy(Strategy[Secret]):
    """stringData is moved to data. Some types require certain keys."""

    def default(self, obj: Secret) -> Secret:
        plain = {key: base64.b64encode(value.encode()).decode() for key, value in obj.string_data.items()}
        return replace(obj, type=obj.type or "Opaque", data={**obj.data, **plain}, string_data={})

    def check(self, obj: Secret, old: Secret | None, findings: Findings, keyspace: Keyspace) -> None:
        for key in obj.data:
            findings.config_key(f"data[{key}]", key)
        if check_base64("data", obj.data, findings) > MAX_DATA_BYTES:
            findings.too_long("data", MAX_DATA_BYTES)
        required_keys = {
            "kubernetes.io/tls": ("tls.crt", "tls.key"),
            "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
            "kubernetes.io/dockercfg": (".dockercfg",),
            "kubernetes.io/ssh-auth": ("ssh-privatekey",),
        }
        for key in required_keys.get(obj.type, ()):
            if key not in obj.data:
                findings.required(f"data[{key}]")

    def check_update(self, new: Secret, old: Secret, findings: Findings) -> None:
        if new.type != old.type:
            findings.invalid("type", new.type, "field is immutable")
        if not old.immutable:
            return
        if not new.immutable:
            findings.forbidden("immutable", "field is immutable when `immutable` is set")
        if new.data != old.data:
            findings.forbidden("data", "field is immutable when `immutable` is set")


def _cells(secret: Secret, now: datetime) -> Sequence[Cell]:
    meta = secret.metadata
    return meta.name, secret.type, len(secret.data), age(meta.creation_timestamp, now)


SECRET = Resource(
    kind="Secret",
    plural="secrets",
    schema=Typed(Secret),
    strategy=SecretStrategy(),
    table=Table(
        (
            NAME,
            Column("Type", description="The purpose of the secret."),
            Column("Data", type="integer", description="The number of keys."),
            AGE,
        ),
        _cells,
    ),
    fields={"type": lambda secret: secret.type},
)
