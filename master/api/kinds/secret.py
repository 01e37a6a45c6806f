"""Secret: values for pods that not everybody may read."""

from __future__ import annotations

from msgspec import field

from master.objects.kind import KindSpec
from master.objects.meta import Object


class Secret(Object, frozen=True, kw_only=True):
    """Values for pods that not everybody may read: base64 in `data`; plain text in `stringData` is moved there."""

    data: dict[str, str] = field(default_factory=dict)
    string_data: dict[str, str] = field(default_factory=dict)
    type: str = ""
    immutable: bool | None = None


SECRET = KindSpec(kind="Secret", plural="secrets", model=Secret, fields={"type": lambda secret: secret.type})
