"""A watch that ends is begun again where it ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from client.following import follow
from client.rest import RestClient
from client.watching import WatchEvent


class Watches:
    """Each watch has the next of these lists of events."""

    def __init__(self, *lists: list[WatchEvent]) -> None:
        self._lists = iter(lists)
        self.begun_at: list[str] = []

    def watch(self, path: str, *, resource_version: str, **_: Any) -> Iterator[WatchEvent]:
        self.begun_at.append(resource_version)
        return iter(next(self._lists))


def event(kind: str, version: str) -> WatchEvent:
    return WatchEvent(kind, {"metadata": {"resourceVersion": version}})


def test_changes_come_once_and_bookmarks_move_the_beginning() -> None:
    watches = Watches([event("ADDED", "2")], [event("BOOKMARK", "5")], [event("DELETED", "6")], [])
    found = [(each.kind, each.resource_version) for each in follow(cast(RestClient, watches), "/p", "1")]
    assert found == [("ADDED", "2"), ("DELETED", "6")]
    assert watches.begun_at == ["1", "2", "5", "6"]
