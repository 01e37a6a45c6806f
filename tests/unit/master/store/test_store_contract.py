"""The behaviour of every store, tested with SQLite and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from master.store.interface import Commit, Compacted, Compare, CompareFailed, Delete, Put, Revision, Store
from master.store.memory import MemoryStore
from master.store.sqlite import SqliteStore


@pytest.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    store: Store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "store.db")
    yield store
    await store.close()


async def test_a_value_is_read_with_its_revisions(store: Store) -> None:
    first = await store.commit([Compare("/a", 0)], [Put("/a", b"1")])
    second = await store.commit([Compare("/a", first)], [Put("/a", b"2")])
    current = await store.get("/a")
    assert current is not None
    assert (current.value, current.create_revision, current.mod_revision) == (b"2", first, second)
    assert second == first + 1


async def test_a_missing_key_is_none(store: Store) -> None:
    assert await store.get("/nothing") is None


async def test_a_failed_comparison_writes_nothing_and_names_its_key(store: Store) -> None:
    await store.commit([], [Put("/a", b"1")])
    before = (await store.list("/"))[1]
    with pytest.raises(CompareFailed) as failed:
        await store.commit([Compare("/b", 0), Compare("/a", 0)], [Put("/b", b"x"), Delete("/a")])
    assert failed.value.key == "/a"
    values, after = await store.list("/")
    assert [value.key for value in values] == ["/a"]
    assert after == before


async def test_all_writes_of_a_commit_have_one_revision(store: Store) -> None:
    revision = await store.commit([], [Put("/a", b"1"), Put("/b", b"2")])
    values, _ = await store.list("/")
    assert {value.mod_revision for value in values} == {revision}


async def test_a_list_has_only_keys_with_the_prefix_in_order(store: Store) -> None:
    await store.commit([], [Put("/x/b", b""), Put("/x/a", b""), Put("/xy", b""), Put("/x/ä", b""), Put("/w", b"")])
    values, _ = await store.list("/x/")
    assert [value.key for value in values] == ["/x/a", "/x/b", "/x/ä"]


async def test_a_list_is_read_in_parts(store: Store) -> None:
    await store.commit([], [Put(f"/x/{name}", b"") for name in "abcd"] + [Put("/y", b"")])
    parts = [await store.list("/x/", after=after, limit=2) for after in ("", "/x/b", "/x/d")]
    assert [[value.key for value in values] for values, _ in parts] == [["/x/a", "/x/b"], ["/x/c", "/x/d"], []]
    values, revision = await store.list("/x/", after="/x/a")
    assert [value.key for value in values] == ["/x/b", "/x/c", "/x/d"]
    assert revision == 1


async def test_deleting_a_missing_key_makes_no_revision(store: Store) -> None:
    first = await store.commit([], [Put("/a", b"1")])
    assert await store.commit([], [Delete("/b")]) == first


async def test_only_one_of_concurrent_commits_for_a_name_wins(store: Store) -> None:
    async def attempt(number: int) -> bool:
        try:
            await store.commit([Compare("/name", 0)], [Put("/name", str(number).encode())])
        except CompareFailed:
            return False
        return True

    outcomes = await asyncio.gather(*(attempt(number) for number in range(50)))
    assert sum(outcomes) == 1
    current = await store.get("/name")
    assert current is not None and current.value == str(outcomes.index(True)).encode()


async def test_a_listener_gets_a_commit_before_its_caller_gets_the_answer(store: Store) -> None:
    received: list[Commit] = []
    store.listen(received.extend)
    revision = await store.commit([], [Put("/a", b"1"), Delete("/b")])
    assert received == [Commit(revision, (("/a", b"1"),))]


async def test_listeners_get_commits_in_order(store: Store) -> None:
    received: list[Commit] = []
    store.listen(received.extend)
    await asyncio.gather(*(store.commit([], [Put(f"/{number}", b"")]) for number in range(100)))
    assert [commit.revision for commit in received] == list(range(1, 101))


async def test_the_history_has_the_commits_after_a_revision(store: Store) -> None:
    first = await store.commit([], [Put("/a", b"1")])
    second = await store.commit([], [Delete("/a"), Put("/b", b"2")])
    assert await store.history(first) == [Commit(second, (("/a", None), ("/b", b"2")))]
    assert await store.history(second) == []


async def test_compacted_history_is_refused(store: Store) -> None:
    for number in range(5):
        await store.commit([], [Put("/a", str(number).encode())])
    await store.compact(Revision(4))
    with pytest.raises(Compacted):
        await store.history(Revision(2))
    assert [commit.revision for commit in await store.history(Revision(3))] == [4, 5]
    current = await store.get("/a")
    assert current is not None and current.value == b"4"


async def test_the_check_of_a_working_store_writes_nothing(store: Store) -> None:
    before = await store.commit([], [Put("/a", b"1")])
    await store.check()
    assert (await store.list("/"))[1] == before
