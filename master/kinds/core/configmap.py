"""ConfigMap: settings for pods."""

from __future__ import annotations

from msgspec import field

from master.objects.meta import Object
from master.registry.resource import Resource


class ConfigMap(Object, frozen=True, kw_only=True):
    """Settings for pods, as environment variables or files. At most 1 MiB.

    `data` has text, `binaryData` bytes in base64; a key may be in only one of them. With `immutable: true`, neither can
    be changed any more.
    """

    data: dict[str, str] = field(default_factory=dict)
    binary_data: dict[str, str] = field(default_factory=dict)
    immutable: bool | None = None


CONFIGMAP = Resource(kind="ConfigMap", plural="configmaps", model=ConfigMap, short_names=("cm",))
