"""Secret: confidential values for pods."""

from __future__ import annotations

from msgspec import field

from master.objects.meta import Object
from master.registry.resource import Resource


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


SECRET = Resource(kind="Secret", plural="secrets", model=Secret, fields={"type": lambda secret: secret.type})
