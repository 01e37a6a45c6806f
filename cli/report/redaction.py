"""Keeps the values of secrets out of a report. Pure.

A Secret is shown with its keys and the length of each value. All other files are searched for the values too, because a
value may also be in a pod's environment, in an annotation or in a log. Values of less than SHORTEST bytes are not
searched for: they are words such as `true` and `default`, which are everywhere.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

SHORTEST: Final = 8
HIDDEN: Final = b"(hidden)"
_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"

Document = dict[str, Any]


def shown(secret: Document) -> Document:
    """A Secret without its values."""
    metadata = {name: value for name, value in secret.get("metadata", {}).items() if name != "managedFields"}
    annotations = {name: text for name, text in metadata.get("annotations", {}).items() if name != _APPLIED}
    if annotations or "annotations" in metadata:
        metadata["annotations"] = annotations
    kept: Document = {name: secret[name] for name in ("apiVersion", "kind", "type", "immutable") if name in secret}
    lengths = {key: f"({len(_decoded(text))} bytes)" for key, text in (secret.get("data") or {}).items()}
    return {**kept, "metadata": metadata, "data": lengths}


def values(secrets: Iterable[Document]) -> frozenset[bytes]:
    """The values of secrets that are long enough to be searched for."""
    every = (_decoded(text) for secret in secrets for text in (secret.get("data") or {}).values())
    return frozenset(value for value in every if len(value) >= SHORTEST)


class Redaction:
    """Replaces values in texts, in each form in which they may be there."""

    def __init__(self, secrets: frozenset[bytes]) -> None:
        # A file often ends with a newline, which programs drop when they read and log the value.
        every = {each for value in secrets for each in (value, value.strip())}
        forms = {form for value in every for form in _forms(value) if len(form) >= SHORTEST}
        # The longest first: one may be a part of another.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))

    def __call__(self, text: bytes) -> bytes:
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text


def _forms(value: bytes) -> Iterator[bytes]:
    yield value
    yield base64.b64encode(value)
    text = value.decode(errors="ignore")
    for ascii_only in (True, False):
        yield json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode()
    for line in value.splitlines():
        # The lines of a key may be apart; those of its frame are in every key.
        if len(line) >= 2 * SHORTEST and not line.startswith(b"-----"):
            yield line


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return text.encode()
