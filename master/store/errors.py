"""Errors of the store.

StoreError
├── CompareFailed      a comparison of a commit failed; none of its writes was done
├── Compacted          the requested history no longer exists
├── StoreDamaged       the file is not a store, or is damaged or incomplete; an administrator has to decide
└── StoreUnavailable   the disk failed or the store is closed; only acknowledged commits are certain
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of all errors of the store."""


class CompareFailed(StoreError):
    """The key's revision is not the one that the commit expects."""

    def __init__(self, key: str) -> None:
        super().__init__(f"comparison failed: {key}")
        self.key = key


class Compacted(StoreError):
    """The requested history is older than `oldest`, the last revision whose changes were removed."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"history before revision {oldest} has been compacted")
        self.oldest = oldest


class StoreDamaged(StoreError):
    """The file or a value in it cannot be used. The message names the file or the key, and the remedy."""


class StoreUnavailable(StoreError):
    """The disk failed or the store is closed."""
