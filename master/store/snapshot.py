"""Copies of the store's file: what one says of itself, and how it takes the place of the store that it was made from.

Synchronous, and only for files that nobody has open.

After a restore, clients and agents may hold revisions that the copy never reached. So the copy does not go on where it
was: it jumps past everything that can ever have been given out, and forgets its history. Who asks for changes since an
older revision is told that they are gone, and starts over.
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
"""A restore begins at its second of the epoch times this power of two: no store commits a million times a second, so
two restores never give out the same revision. It stays below 2**53, which is what JSON numbers hold, until 2242."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy says of itself."""

    revision: int
    cluster_id: str


def inspect(path: Path, cluster_id_key: str) -> Copied:
    """Raises StoreDamaged when it is no store, or not all of one."""
    with _open(path) as db:
        said = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if said != "ok":
            raise StoreDamaged(f"{path}: the file is damaged: {said}")
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
    """Begin a new stretch of revisions after `past`, with this key written at its first one, which is returned."""
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
