"""The events of a watch, from the bytes of its stream: one JSON document a line."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from client.errors import ConnectionFailed, status_error


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """`kind` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    kind: str
    object: dict[str, Any]

    @property
    def resource_version(self) -> str:
        return str(self.object["metadata"]["resourceVersion"])


def parse_events(chunks: Iterable[bytes]) -> Iterator[WatchEvent]:
    """Events in order. An ERROR event is raised as the Status that it carries."""
    for line in _lines(chunks):
        try:
            event = json.loads(line)
            kind, found = event["type"], event["object"]
        except (ValueError, KeyError, TypeError) as error:
            raise ConnectionFailed(f"the watch sent something else than events: {line[:80]!r}") from error
        if kind == "ERROR":
            raise status_error(int(found.get("code") or 500), found)
        yield WatchEvent(kind, found)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())
    if rest.strip():
        yield rest
