"""Parses the stream of a watch into events: one JSON document on each line."""

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
    """The events in order. Raises the Status of an ERROR event."""
    for line in _lines(chunks):
        try:
            event = json.loads(line)
            kind, document = event["type"], event["object"]
        except (ValueError, KeyError, TypeError) as error:
            raise ConnectionFailed(f"the watch sent something other than an event: {line[:80]!r}") from error
        if kind == "ERROR":
            raise status_error(int(document.get("code") or 500), document)
        yield WatchEvent(kind, document)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())
    if rest.strip():
        yield rest
