"""Watches as clients rely on them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from master.api.identity import component
from master.api.kinds import CONFIGMAP
from master.api.kinds.configmap import ConfigMap
from master.cache import Subscription
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


async def test_without_a_version_it_begins_with_what_is_there(api: Client) -> None:
    await put(api, "a")
    await put(api, "b")
    for version in ("", "&resourceVersion=0"):
        events = await api.watch(f"{PATH}?watch=true{version}", lambda e: len(e) == 2)
        assert brief(events) == [("ADDED", "a"), ("ADDED", "b")]
        assert events[0]["object"]["kind"] == "ConfigMap"


async def test_after_a_version_come_the_changes_since(api: Client) -> None:
    await put(api, "a")
    since = api.resources.cache.revision
    await put(api, "b")
    await put(api, "a", x="1")
    await api.resources.delete(ME, CONFIGMAP, "default", "b")
    events = await api.watch(f"{PATH}?watch=1&resourceVersion={since}", lambda e: len(e) == 3)
    assert brief(events) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
    assert events[2]["object"]["metadata"]["resourceVersion"] == str(api.resources.cache.revision)


async def test_changes_are_delivered_as_they_come(api: Client) -> None:
    await put(api, "a")
    pending: list[asyncio.Task[None]] = []

    def until(events: list[Any]) -> bool:
        if len(events) == 1:
            pending.append(asyncio.create_task(put(api, "b")))
        return len(events) == 2

    events = await api.watch(f"{PATH}?watch=1", until)
    await asyncio.gather(*pending)
    assert brief(events) == [("ADDED", "a"), ("ADDED", "b")]


async def test_entering_a_selection_is_added_and_leaving_it_deleted(api: Client) -> None:
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
    assert left["labels"] == {"x": "1"}, "the last state that the watcher has seen"
    assert int(left["resourceVersion"]) == since + 2


async def test_a_forgotten_version_is_an_error_event(api: Client) -> None:
    since = api.resources.cache.revision
    for number in range(30):
        await put(api, f"c{number}")
    events = await api.watch(f"{PATH}?watch=1&resourceVersion={since}", lambda e: False)
    assert [event["type"] for event in events] == ["ERROR"]
    assert (events[0]["object"]["code"], events[0]["object"]["reason"]) == (410, "Expired")


async def test_initial_events_end_with_their_bookmark(api: Client) -> None:
    await put(api, "a")
    query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    events = await api.watch(f"{PATH}?{query}", lambda e: len(e) == 2)
    assert brief(events) == [("ADDED", "a"), ("BOOKMARK", "")]
    meta = events[1]["object"]["metadata"]
    assert meta["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert meta["resourceVersion"] == str(api.resources.cache.revision)


async def test_a_watch_ends_after_its_time_with_a_bookmark(api: Client) -> None:
    query = f"watch=1&timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion={api.resources.cache.revision}"
    events = await api.watch(f"{PATH}?{query}", lambda e: False)
    assert [event["type"] for event in events] == ["BOOKMARK"]
    assert events[0]["object"]["kind"] == "ConfigMap"


async def test_tables_are_watched_and_name_their_columns_once(api: Client) -> None:
    await put(api, "a")
    await put(api, "b")
    events = await api.watch(f"{PATH}?watch=1", lambda e: len(e) == 2, table=True)
    assert [event["object"]["kind"] for event in events] == ["Table", "Table"]
    assert [row["cells"][0] for event in events for row in event["object"]["rows"]] == ["a", "b"]
    assert events[0]["object"]["columnDefinitions"] and not events[1]["object"]["columnDefinitions"]


async def test_one_object_is_watched_by_its_name(api: Client) -> None:
    await put(api, "a")
    await put(api, "b")
    events = await api.watch(f"{PATH}?watch=1&fieldSelector=metadata.name=b", lambda e: True)
    assert brief(events) == [("ADDED", "b")]


async def test_a_watcher_that_left_is_forgotten(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, left = api.resources.cache, asyncio.Event()
    leave = cache._leave

    def told(subscription: Subscription) -> None:
        leave(subscription)
        left.set()

    monkeypatch.setattr(cache, "_leave", told)
    await put(api, "a")
    await api.watch(f"{PATH}?watch=1", lambda e: True)
    async with asyncio.timeout(5):
        await left.wait()
    assert not cache._followers[CONFIGMAP]
