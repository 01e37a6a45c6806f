"""An older release says how to return to the copy of the store from before a change of its schema."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from master.store.interface import Put, StoreDamaged
from master.store.sqlite import SqliteStore


async def test_the_error_for_a_newer_schema_has_the_command_that_returns_to_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await store.commit([], [Put("/a", b"1")])
    await store.close()
    shutil.copy(path, tmp_path / "store.db-schema2")
    # A later release writes to the store and changes its schema.
    store = await SqliteStore.open(path)
    await store.commit([], [Put("/a", b"2")])
    await store.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE meta SET value = 3 WHERE name = 'schema'")
        database.commit()
    with pytest.raises(StoreDamaged, match="has schema 3, this release reads 2; start it with the release") as refused:
        await SqliteStore.open(path)
    command = re.search(r"written since: (.*)", str(refused.value))
    assert command is not None
    await asyncio.to_thread(subprocess.run, ["sh", "-c", command[1]], check=True)
    store = await SqliteStore.open(path)
    current = await store.get("/a")
    assert current is not None and current.value == b"1"
    await store.close()
