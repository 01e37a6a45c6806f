"""The behaviour of watches on which clients rely."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from master.api.identity import component
from master.cache import Subscription
from master.kinds import CONFIGMAP
from master.kinds.core.configmap import ConfigMap
from master.objects.meta import ObjectMeta
from tests.masters import Client

ME = component("test")
PATH = "/api/v1/namespaces/default/configmaps"


def named(name: str, **labels: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default", labels=labels))


async def put(api: Client, name: str, **labels: str) -> None:
    if api.resources.cache.get(CONFIGMAP, "default", name) is None:
        await api.resources.create(ME, CONFIGMAP, named(name, **labels), namespace="default")
    else:
        await api.resources.update(ME, CONFIGMAP, named(name, **labels))


def brief(events: list[Any]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


async def test_a_watch_without_a_version_starts_with_all_objects(api: Client) -> None:
    await put(api, "a")
    await put(api, "b")
    for version in ("", "&resourceVersion=0"):
        events = await api.watch(f"{PATH}?watch=true{version}", lambda e: len(e) == 2)
        assert brief(events) == [("ADDED", "a"), ("ADDED", "b")]
        assert events[0]["object"]["kind"] == "ConfigMap"


async def test_a_watch_from_a_version_gets_the_changes_since_then(api: Client) -> None:
    await put(api, "a")
    since = api.resources.cache.revision
    await put(api, "b")
    await put(api, "a", x="1")
    await api.resources.delete(ME, CONFIGMAP, "default", "b")
    events = await api.watch(f"{PATH}?watch=1&resourceVersion={since}", lambda e: len(e) == 3)
    assert brief(events) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
    assert events[2]["object"]["metadata"]["resourceVersion"] == str(api.resources.cache.revision)


async def test_changes_are_delivered_at_once(api: Client) -> None:
    await put(api, "a")
    pending: list[asyncio.Task[None]] = []

    def until(events: list[Any]) -> bool:
        if len(events) == 1:
            pending.append(asyncio.create_task(put(api, "b")))
        return len(events) == 2

    events = await api.watch(f"{PATH}?watch=1", until)
    await asyncio.gather(*pending)
    assert brief(events) == [("ADDED", "a"), ("ADDED", "b")]


async def test_an_object_that_starts_to_match_is_added_and_one_that_stops_is_deleted(api: Client) -> None:
    since = api.resources.cache.revision
    await put(api, "a", x="1")
    await put(api, "a", x="2")
    await put(api, "a", x="1")
    await put(api, "b", x="9")
    await put(api, "a", x="1", y="1")
    await api.resources.delete(ME, CONFIGMAP, "default", "a")
    events = await api.watch(f"{PATH}?watch=1&labelSelector=x=1&resourceVersion={since}", lambda e: len(e) == 5)
    assert [event["type"] for event in events] == ["ADDED", "DELETED", "ADDED", "MODIFIED", "DELETED"]
    left = events[1]["object"]["metadata"]
    assert left["labels"] == {"x": "1"}, "the last state that matched"
    assert int(left["resourceVersion"]) == since + 2


async def test_a_version_older_than_the_history_gets_an_error_event(api: Client) -> None:
    since = api.resources.cache.revision
    for number in range(30):
        await put(api, f"c{number}")
    events = await api.watch(f"{PATH}?watch=1&resourceVersion={since}", lambda e: False)
    assert [event["type"] for event in events] == ["ERROR"]
    assert (events[0]["object"]["code"], events[0]["object"]["reason"]) == (410, "Expired")


async def test_the_few_matching_ones_of_many_objects_come_before_the_bookmark(api: Client) -> None:
    for n in range(450):
        await put(api, f"c{n:03}", third="yes" if n % 150 == 0 else "no")
    bookmark = "sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    for selector in ("third%3Dyes", "third+in+(yes,other)"):
        events = await api.watch(f"{PATH}?watch=1&{bookmark}&labelSelector={selector}", lambda e: len(e) == 4)
        assert brief(events) == [("ADDED", "c000"), ("ADDED", "c150"), ("ADDED", "c300"), ("BOOKMARK", "")]


async def test_initial_events_end_with_a_bookmark(api: Client) -> None:
    await put(api, "a")
    query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    events = await api.watch(f"{PATH}?{query}", lambda e: len(e) == 2)
    assert brief(events) == [("ADDED", "a"), ("BOOKMARK", "")]
    meta = events[1]["object"]["metadata"]
    assert meta["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert meta["resourceVersion"] == str(api.resources.cache.revision)


async def test_a_watch_ends_at_its_time_limit_with_a_bookmark(api: Client) -> None:
    query = f"watch=1&timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion={api.resources.cache.revision}"
    events = await api.watch(f"{PATH}?{query}", lambda e: False)
    assert [event["type"] for event in events] == ["BOOKMARK"]
    assert events[0]["object"]["kind"] == "ConfigMap"


async def test_a_watch_of_tables_has_the_columns_once(api: Client) -> None:
    await put(api, "a")
    await put(api, "b")
    events = await api.watch(f"{PATH}?watch=1", lambda e: len(e) == 2, table=True)
    assert [event["object"]["kind"] for event in events] == ["Table", "Table"]
    assert [row["cells"][0] for event in events for row in event["object"]["rows"]] == ["a", "b"]
    assert events[0]["object"]["columnDefinitions"] and not events[1]["object"]["columnDefinitions"]


async def test_a_single_object_is_watched_by_its_name(api: Client) -> None:
    await put(api, "a")
    await put(api, "b")
    events = await api.watch(f"{PATH}?watch=1&fieldSelector=metadata.name=b", lambda e: True)
    assert brief(events) == [("ADDED", "b")]


async def test_the_subscription_of_a_closed_watch_is_removed(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, left = api.resources.cache, asyncio.Event()
    leave = cache._leave

    def leave_and_notify(subscription: Subscription) -> None:
        leave(subscription)
        left.set()

    monkeypatch.setattr(cache, "_leave", leave_and_notify)
    await put(api, "a")
    await api.watch(f"{PATH}?watch=1", lambda e: True)
    async with asyncio.timeout(5):
        await left.wait()
    assert not cache._followers[CONFIGMAP]
