"""What every store does, run against SQLite and against the one in memory."""

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
    made: Store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "store.db")
    yield made
    await made.close()


async def test_what_was_put_is_read_with_its_revisions(store: Store) -> None:
    first = await store.commit([Compare("/a", 0)], [Put("/a", b"1")])
    second = await store.commit([Compare("/a", first)], [Put("/a", b"2")])
    found = await store.get("/a")
    assert found is not None
    assert (found.value, found.create_revision, found.mod_revision) == (b"2", first, second)
    assert second == first + 1


async def test_a_key_that_is_not_there_is_none(store: Store) -> None:
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


async def test_a_list_has_the_prefix_only_and_is_in_order(store: Store) -> None:
    await store.commit([], [Put("/x/b", b""), Put("/x/a", b""), Put("/xy", b""), Put("/x/ä", b""), Put("/w", b"")])
    values, _ = await store.list("/x/")
    assert [value.key for value in values] == ["/x/a", "/x/b", "/x/ä"]


async def test_deleting_what_is_not_there_moves_nothing(store: Store) -> None:
    first = await store.commit([], [Put("/a", b"1")])
    assert await store.commit([], [Delete("/b")]) == first


async def test_of_commits_at_once_for_one_name_one_wins(store: Store) -> None:
    async def attempt(number: int) -> bool:
        try:
            await store.commit([Compare("/name", 0)], [Put("/name", str(number).encode())])
        except CompareFailed:
            return False
        return True

    outcomes = await asyncio.gather(*(attempt(number) for number in range(50)))
    assert sum(outcomes) == 1
    found = await store.get("/name")
    assert found is not None and found.value == str(outcomes.index(True)).encode()


async def test_a_listener_hears_of_a_commit_before_its_author(store: Store) -> None:
    heard: list[Commit] = []
    store.listen(heard.extend)
    revision = await store.commit([], [Put("/a", b"1"), Delete("/b")])
    assert heard == [Commit(revision, (("/a", b"1"),))]


async def test_listeners_hear_of_commits_in_order(store: Store) -> None:
    heard: list[Commit] = []
    store.listen(heard.extend)
    await asyncio.gather(*(store.commit([], [Put(f"/{number}", b"")]) for number in range(100)))
    assert [commit.revision for commit in heard] == list(range(1, 101))


async def test_history_tells_what_came_after(store: Store) -> None:
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
    found = await store.get("/a")
    assert found is not None and found.value == b"4"


async def test_a_store_that_works_says_so_and_writes_nothing_for_it(store: Store) -> None:
    before = await store.commit([], [Put("/a", b"1")])
    await store.check()
    assert (await store.list("/"))[1] == before
