"""What the store can fail with.

StoreError
├── CompareFailed      a comparison of a commit does not hold; nothing of it was written
├── Compacted          the history asked for is no longer there
├── StoreDamaged       what is on the disk is no store, or not all of one: a person must look at it
└── StoreUnavailable   the disk failed; nothing that was not acknowledged may be believed
"""

from __future__ import annotations


class StoreError(Exception):
    """The root."""


class CompareFailed(StoreError):
    """The key's revision is not the one that the commit was made for."""

    def __init__(self, key: str) -> None:
        super().__init__(f"comparison failed: {key}")
        self.key = key


class Compacted(StoreError):
    """The history after that revision is gone."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"history before revision {oldest} has been compacted")
        self.oldest = oldest


class StoreDamaged(StoreError):
    """The file, or a value in it, cannot be used. The message names it."""


class StoreUnavailable(StoreError):
    """The disk failed or the store is closed."""
