"""A store with an older schema is upgraded."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from master.store.database import Database
from master.store.interface import Put, StoreUnavailable
from master.store.sqlite import SqliteStore


@pytest.fixture
async def old(tmp_path: Path) -> Path:
    """A store with schema 1: rows without checksums."""
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await store.commit([], [Put("/a", b"1")])
    await store.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript("ALTER TABLE kv DROP COLUMN sum; UPDATE meta SET value = 1 WHERE name = 'schema';")
    return path


def schema_of(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return int(database.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()[0])


async def test_an_older_store_is_upgraded_and_its_copy_kept(old: Path) -> None:
    store = await SqliteStore.open(old)
    current = await store.get("/a")
    assert current is not None and current.value == b"1"
    await store.commit([], [Put("/b", b"2")])
    await store.close()
    kept = old.with_name("store.db-schema1")
    assert (schema_of(old), schema_of(kept), kept.stat().st_mode & 0o777) == (2, 1, 0o600)
    with contextlib.closing(sqlite3.connect(kept)) as database:
        assert database.execute("SELECT key, value FROM kv").fetchall() == [("/a", b"1")]


async def test_without_space_for_the_copy_nothing_is_changed(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Database, "copy", full)
    with pytest.raises(StoreUnavailable, match="disk is full"):
        await SqliteStore.open(old)
    assert schema_of(old) == 1
