"""The history of changes is bounded in bytes and shared fairly; pages of a list are as of its first page."""

from __future__ import annotations

from typing import Any

import pytest

from master import kinds
from master.cache import Cache, HistoryGone
from master.cache.history import MAX_BYTES, OVERHEAD_BYTES
from master.cache.snapshots import MAX_AGE_S, MAX_SNAPSHOTS
from master.kinds import CONFIGMAP, EVENT, POD
from master.objects.index import LABEL
from master.registry.resource import Resource
from master.store.interface import Delete, Put
from master.store.memory import MemoryStore
from tests.fakes.clock import FakeClock
from tests.unit.master.cache.bodies import body, configmap, pod


def oldest(cache: Cache, kind: Resource[Any]) -> int:
    """The oldest revision at which a watch of the kind may start."""
    try:
        cache.watch(kind, -1)
    except HistoryGone as gone:
        return gone.oldest
    raise AssertionError("a history without a beginning")


def event(number: int) -> Put:
    return Put(EVENT.key("default", f"e{number % 50}"), body(EVENT, f"e{number % 50}", message="x" * 1000))


async def test_the_history_is_bounded_in_bytes() -> None:
    store = MemoryStore()
    cache = await Cache.load(store, kinds.ALL, history_bytes=100_000)
    for number in range(500):
        await store.commit([], [configmap("a", x="y" * 1000, number=str(number))])
        assert cache._history.size_bytes <= 100_000
    assert 400 < oldest(cache, CONFIGMAP) < 450, "about 70 changes, each of which keeps 1.1 KB and its own size"


async def test_many_events_do_not_push_out_the_changes_of_pods() -> None:
    store = MemoryStore()
    cache = await Cache.load(store, kinds.ALL, history_bytes=200_000)
    for number in range(20):
        await store.commit([], [pod("p", number=str(number))])
    for number in range(2000):
        await store.commit([], [event(number)])
    assert oldest(cache, POD) == 0
    assert oldest(cache, EVENT) > 1000


def test_a_busy_minute_fits_into_the_history() -> None:
    assert 60 * 1000 * (2048 + OVERHEAD_BYTES) <= MAX_BYTES


async def test_the_changes_of_one_commit_leave_the_history_together() -> None:
    store = MemoryStore()
    cache = await Cache.load(store, kinds.ALL, history=3)
    await store.commit([], [configmap("a"), configmap("b"), configmap("c")])
    await store.commit([], [configmap("a")])
    feed, past = cache.watch(CONFIGMAP, 1)
    feed.close()
    assert [change.revision for change in past] == [2]
    with pytest.raises(HistoryGone):
        cache.watch(CONFIGMAP, 0)


# -- pages ----------------------------------------------------------------------------------------------------------


async def with_pods(count: int, clock: FakeClock) -> tuple[MemoryStore, Cache]:
    store = MemoryStore()
    cache = await Cache.load(store, kinds.ALL, clock=clock)
    await store.commit([], [pod(f"p{number}", app="ab"[number % 2]) for number in range(count)])
    return store, cache


async def test_later_pages_are_as_of_the_first() -> None:
    store, cache = await with_pods(7, FakeClock())
    first = cache.page(POD, limit=3)
    assert ([e.name for e in first.entries], first.revision, first.remaining) == (["p0", "p1", "p2"], 1, 4)
    await store.commit([], [Delete(POD.key("default", "p3")), pod("p4", new="1"), pod("p45")])
    second = cache.page(POD, limit=3, after=first.entries[-1].key, revision=first.revision)
    assert [(e.name, e.revision) for e in second.entries] == [("p3", 1), ("p4", 1), ("p5", 1)]
    last = cache.page(POD, limit=3, after=second.entries[-1].key, revision=second.revision)
    assert ([e.name for e in last.entries], last.remaining) == (["p6"], 0)
    assert cache.page(POD, limit=3, after=("default", "p3")).entries[0].revision == 2, "a new list is of now"


async def test_a_selected_list_is_selected_once() -> None:
    store, cache = await with_pods(6, FakeClock())
    revision, selected = cache.revision, cache.by(POD, LABEL, "app=b")
    assert cache.held(POD, "default", selection="app=b") is None
    # Selecting takes time, in which objects change: the page is still of the revision when it began.
    await store.commit([], [pod("p5", app="a")])
    page = cache.page(POD, "default", limit=2, revision=revision, selection="app=b", selected=selected)
    after = page.entries[-1].key
    assert cache.held(POD, "default", selection="app=b") is None, "the current list is another one"
    assert cache.held(POD, "default", revision=revision, selection="app=b") is selected
    rest = cache.page(POD, "default", limit=2, after=after, revision=revision, selection="app=b")
    assert page.revision == rest.revision == revision
    assert [e.name for e in (*page.entries, *rest.entries)] == ["p1", "p3", "p5"]
    with pytest.raises(HistoryGone):
        cache.held(POD, "default", revision=revision, selection="app=a")


async def test_a_snapshot_is_kept_for_some_minutes() -> None:
    clock = FakeClock()
    store, cache = await with_pods(4, clock)
    first = cache.page(POD, limit=2)
    await store.commit([], [pod("p9")])
    await clock.advance(MAX_AGE_S - 1)
    assert cache.page(POD, limit=2, after=first.entries[-1].key, revision=1).remaining == 0
    await clock.advance(2)
    await store.commit([], [pod("p9")])
    assert len(cache._snapshots) == 0, "the next commit frees it, without another list"
    with pytest.raises(HistoryGone):
        cache.page(POD, limit=2, after=first.entries[-1].key, revision=1)


async def test_an_old_revision_is_good_while_nothing_of_the_kind_has_changed() -> None:
    clock = FakeClock()
    store, cache = await with_pods(4, clock)
    first = cache.page(POD, limit=2)
    await clock.advance(2 * MAX_AGE_S)
    await store.commit([], [configmap("a")])
    assert [e.name for e in cache.page(POD, limit=2, after=first.entries[-1].key, revision=1).entries] == ["p2", "p3"]
    with pytest.raises(HistoryGone):
        cache.page(POD, limit=2, revision=0)


async def test_snapshots_are_limited_in_number_and_shared_while_nothing_changes() -> None:
    store, cache = await with_pods(4, FakeClock())
    pages = []
    for number in range(MAX_SNAPSHOTS + 2):
        pages.append(cache.page(POD, limit=2))
        await store.commit([], [pod("p0", x=str(number))])
    assert len(cache._snapshots) == MAX_SNAPSHOTS
    with pytest.raises(HistoryGone):
        cache.page(POD, limit=2, revision=pages[0].revision)
    assert cache.page(POD, limit=2, revision=pages[2].revision).entries == pages[2].entries
    again = cache.page(POD, limit=2)
    await store.commit([], [configmap("a")])
    assert cache.page(POD, limit=2).entries[0] is again.entries[0]


async def test_the_last_page_leaves_no_snapshot() -> None:
    _, cache = await with_pods(4, FakeClock())
    assert cache.page(POD, limit=4).remaining == 0
    assert len(cache._snapshots) == 0
