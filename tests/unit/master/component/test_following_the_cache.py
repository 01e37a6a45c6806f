"""Following: a snapshot, then changes; other tasks run meanwhile; selectors are answered by indexes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from master import kinds
from master.cache import Change, Snapshot
from master.component.follow import follow, paced
from master.component.podstate import state_changed
from master.component.selection import pods_of, selecting
from tests.fakes.clock import settle
from tests.fakes.cluster import FakeCluster, service


class Follower:
    """Records what it gets. It takes its snapshot when `may_begin` is set."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster
        self.may_begin = asyncio.Event()
        self.begun: list[list[str]] = []
        self.changes: list[tuple[str, str]] = []

    async def begin(self, snapshot: Snapshot) -> None:
        names = [entry.name for entry in snapshot.entries()]
        await self.may_begin.wait()
        self.begun.append(names)

    def change(self, change: Change) -> None:
        self.changes.append((change.type, change.entry.name))

    @asynccontextmanager
    async def following(self, *, all_kinds: bool = False) -> AsyncIterator[None]:
        watched = () if all_kinds else (kinds.CONFIGMAP, kinds.POD)
        task = asyncio.create_task(
            follow(self._cluster.cache, watched, begin=self.begin, change=self.change, all_kinds=all_kinds)
        )
        await settle()
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_changes_during_the_snapshot_come_after_it() -> None:
    cluster = await FakeCluster.make()
    await cluster.pod("a")
    follower = Follower(cluster)
    async with follower.following():
        await cluster.pod("b")
        await cluster.delete(kinds.POD, "b")
        await cluster.delete(kinds.POD, "a")
        assert follower.begun == []
        follower.may_begin.set()
        await settle()
    assert follower.begun == [["a"]]
    assert follower.changes == [("DELETED", "a")], "the follower never got b"


async def test_a_follower_of_all_kinds_begins_again_when_one_goes() -> None:
    cluster = await FakeCluster.make()
    await cluster.pod("a")
    follower = Follower(cluster)
    follower.may_begin.set()
    async with follower.following(all_kinds=True):
        cluster.cache.remove(kinds.POD)
        await settle()
    assert follower.begun == [["default", "a"], ["default"]]


async def test_other_tasks_run_between_many_items() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert [item async for item in paced(range(1000))] == list(range(1000))
    task.cancel()
    assert turns >= 9


async def test_which_pods_a_selector_selects() -> None:
    cluster = await FakeCluster.make()
    await cluster.pod("a", labels={"app": "web", "tier": "x"})
    await cluster.pod("b", labels={"app": "web", "tier": "y"})
    await cluster.pod("c", labels={"app": "db", "tier": "x"})
    selected = {
        name: [pod.metadata.name for pod in pods_of(cluster.cache, "default", selector)]
        for name, selector in {
            "one": {"app": "web"},
            "both": {"app": "web", "tier": "x"},
            "none": {"app": "web", "tier": "z"},
            "empty": {},
        }.items()
    }
    assert selected == {"one": ["a", "b"], "both": ["a"], "none": [], "empty": []}
    assert pods_of(cluster.cache, "other", {"app": "web"}) == []


async def test_which_services_select_a_pod() -> None:
    cluster = await FakeCluster.make()
    for name, selector in {"one": {"app": "web"}, "two": {"app": "web", "tier": "x"}, "none": {}}.items():
        made = service(name, app="")
        await cluster.create(kinds.SERVICE, replace(made, spec=replace(made.spec, selector=selector)))

    def services(labels: dict[str, str], namespace: str = "default") -> set[str]:
        return set(selecting(cluster.cache, kinds.SERVICE, namespace, labels))

    assert services({"app": "web"}) == {"one"}
    assert services({"app": "web", "tier": "x", "more": "y"}) == {"one", "two"}
    assert services({"tier": "x"}) == services({"app": "web"}, "other") == set()


async def test_a_report_that_changes_no_state_of_a_pod_concerns_no_service() -> None:
    cluster = await FakeCluster.make()
    await cluster.pod("a", labels={"app": "web"})
    with cluster.cache.subscribe(kinds.POD) as feed:
        await cluster.pod_status("a", ip="10.0.0.1")
        await cluster.change(
            kinds.POD, "a", lambda pod: replace(pod, status=replace(pod.status, message="x")), subresource="status"
        )
        await cluster.delete(kinds.POD, "a")
        concerns = [state_changed(change) for _ in range(3) for change in (await feed.next()).changes]
    assert concerns == [True, False, True]
