"""Why a strategic merge patch cannot be applied."""

from __future__ import annotations

from typing import Any

import msgspec


class MalformedPatch(Exception):
    """The patch has a form that has no meaning, such as an unknown directive or an item without its merge key."""


class UnsupportedPatch(Exception):
    """The patch is well-formed, but its lists have items that cannot be merged."""


def shown(value: Any) -> str:
    """A value in a message."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 256 else f"{text[:256]}..."
