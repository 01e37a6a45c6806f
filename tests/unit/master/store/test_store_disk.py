"""Behaviour of the SQLite store only: durability across restarts, bounded history, disk errors."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from master import kinds
from master.cache import Cache
from master.store.interface import Compacted, Put, Revision, StoreDamaged, StoreUnavailable
from master.store.sqlite import SqliteStore


async def test_revisions_and_history_continue_after_a_restart(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    revision = await store.commit([], [Put("/a", b"1")])
    await store.close()
    store = await SqliteStore.open(tmp_path / "store.db")
    assert await store.commit([], [Put("/b", b"2")]) == revision + 1
    assert len(await store.history(Revision(0))) == 2
    await store.close()


async def test_history_is_bounded(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db", history=10)
    for number in range(40):
        await store.commit([], [Put("/a", str(number).encode())])
    with pytest.raises(Compacted):
        await store.history(Revision(1))
    assert len(await store.history(Revision(35))) == 5
    await store.close()


async def test_every_part_of_a_list_costs_the_same(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    await store.commit([], [Put(f"/x/{number:04d}", b"") for number in range(2000)])
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    store._database._db.set_progress_handler(step, 1)
    costs = []
    for after in ("", "/x/0009", "/x/1989"):
        steps = 0
        values, _ = await store.list("/x/", after=after, limit=10)
        assert len(values) == 10
        costs.append(steps)
    assert max(costs) < 2 * min(costs)
    await store.close()


class _Broken:
    """A connection whose COMMIT fails as on a full disk."""

    def __init__(self, real: sqlite3.Connection) -> None:
        self._real = real
        self.broken = True

    def execute(self, sql: str, *args: Any) -> Any:
        if sql == "COMMIT" and self.broken:
            raise sqlite3.OperationalError("database or disk is full")
        return self._real.execute(sql, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


async def test_a_disk_error_fails_all_commits_and_the_store_recovers(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    first = await store.commit([], [Put("/a", b"1")])
    broken = _Broken(store._database._db)
    store._database._db = broken  # type: ignore[assignment]
    received: list[object] = []
    store.listen(received.extend)
    outcomes = await asyncio.gather(*(store.commit([], [Put("/a", b"2")]) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
    assert "disk is full" in str(outcomes[0])
    assert received == []
    with pytest.raises(StoreUnavailable, match="disk is full"):
        await store.check()
    broken.broken = False
    await store.check()
    current = await store.get("/a")
    assert current is not None and current.value == b"1"
    assert await store.commit([], [Put("/a", b"3")]) == first + 1
    await store.close()


async def test_an_invalid_commit_does_not_make_the_store_unavailable(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    with pytest.raises(StoreUnavailable):
        await store.commit([], [Put("/\ud800", b"not Unicode")])
    await store.check()
    await store.close()


async def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreDamaged, match=r"store\.db"):
        await SqliteStore.open(tmp_path / "store.db")


async def test_a_closed_store_is_unavailable(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.get("/a")


async def _filled(path: Path) -> None:
    store = await SqliteStore.open(path)
    for number in range(200):
        await store.commit([], [Put(f"/{number}", b"x" * 1000)])
    await store.close()


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _scribbled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8192:32768] = b"\xa5" * 24576
    path.write_bytes(content)


def _foreign(path: Path) -> None:
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE kv (a)")


def _newer(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE meta SET value = 7 WHERE name = 'schema'")
        database.commit()


def _gone_without_its_log(path: Path) -> None:
    path.rename(path.with_name("store.db-wal"))


@pytest.mark.parametrize("harm", [_emptied, _cut, _scribbled, _foreign, _newer, _gone_without_its_log])
async def test_a_damaged_or_foreign_store_is_refused(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    path = tmp_path / "store.db"
    await _filled(path)
    harm(path)
    with pytest.raises(StoreDamaged, match=r"store\.db") as refused:
        await SqliteStore.open(path)
    assert "restore" in str(refused.value) or "release that wrote it" in str(refused.value)
    # A second attempt fails as well.
    with pytest.raises(StoreDamaged):
        await SqliteStore.open(path)


async def test_commits_succeed_after_one_that_sqlite_refuses(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    with pytest.raises(StoreUnavailable):
        await store.commit([], [Put("/\ud800", b"1")])
    assert await store.commit([], [Put("/a", b"1")]) == 1
    await store.close()


async def test_an_unreadable_value_is_named(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    await store.commit([], [Put("/registry/pods/default/web", b'{"spec":{}}')])
    with pytest.raises(StoreDamaged, match="/registry/pods/default/web"):
        await Cache.load(store, kinds.ALL)
    await store.close()


async def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await _filled(path)
    path.chmod(0o644)
    store = await SqliteStore.open(path)
    await store.commit([], [Put("/a", b"1")])
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {
        "store.db": 0o600,
        "store.db-wal": 0o600,
        "store.db-mark": 0o600,
    }
    await store.close()
