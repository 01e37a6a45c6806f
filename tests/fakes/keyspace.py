"""Uniqueness keys of a cluster without objects."""

from __future__ import annotations


class NoKeys:
    """No key is held."""

    def holder(self, key: str) -> bytes | None:
        return None

    def taken(self, key: str) -> bool:
        return False
