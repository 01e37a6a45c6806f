"""Copies of the store's file: reads their revision and cluster, and prepares a copy to replace the store.

Synchronous, and only for files that no process has open.

After a restore, clients and agents may have seen revisions that the copy never reached. Therefore the copy does not
continue with its own next revision: it jumps past every revision that may have been published, and drops its history.
A client that asks for changes since an older revision gets an error that they are gone, and starts over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from master.store.database import SCHEMA_VERSION, row_sum
from master.store.errors import StoreDamaged

JUMP_BITS: Final = 20
"""A restored store starts at revision `seconds since the epoch << JUMP_BITS`. No store commits a million times per
second, so two restores never publish the same revision. The revisions stay below 2**53, the limit of JSON numbers,
until the year 2242."""


@dataclass(frozen=True, slots=True)
class Copied:
    """The revision of a copy, and the id of the cluster that it belongs to."""

    revision: int
    cluster_id: str


def inspect(path: Path, cluster_id_key: str) -> Copied:
    """Reads a copy. Raises StoreDamaged when it is not a store, or is damaged or incomplete."""
    with _open(path) as db:
        result = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if result != "ok":
            raise StoreDamaged(f"{path}: the file is damaged: " + " ".join(result.split()))
        meta = dict(db.execute("SELECT name, value FROM meta"))
        row = db.execute("SELECT value FROM kv WHERE key = ?", (cluster_id_key,)).fetchone()
        if not {"revision", "schema"} <= meta.keys() or row is None:
            raise StoreDamaged(f"{path}: not a store of this program")
        if meta["schema"] != SCHEMA_VERSION:
            raise StoreDamaged(
                f"{path}: the store has schema {meta['schema']}, this release reads {SCHEMA_VERSION}; "
                "use the release that wrote it"
            )
        return Copied(meta["revision"], bytes(row[0]).decode())


def advance(path: Path, *, past: int, now_s: float, key: str, value: bytes) -> int:
    """Moves the file to a revision far after `past`, writes `key` at that revision, and returns it."""
    with _open(path) as db:
        revision = max(int(now_s) << JUMP_BITS, past + (1 << JUMP_BITS))
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "INSERT OR REPLACE INTO kv VALUES (?1, ?2, ?3, ?3, ?4)",
            (key, value, revision, row_sum(key, value, revision)),
        )
        db.execute("DELETE FROM log")
        for name in ("revision", "compacted"):
            db.execute("UPDATE meta SET value = ? WHERE name = ?", (revision, name))
        db.execute("COMMIT")
    return revision


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        db = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None)
        try:
            yield db
        finally:
            db.close()
    except sqlite3.Error as error:
        raise StoreDamaged(f"{path}: {error}") from error
