"""Judges watches: each stream is exactly the changes that the history has, and adds up to the lists."""

from __future__ import annotations

from itertools import islice

from tests.service.master.api.history.log import Event, Log, stored, version
from tests.service.master.api.history.record import Journey, Read, Stream
from tests.service.master.api.history.things import Json, Key
from tests.service.master.api.history.verdict import (
    BOOKMARK,
    DUPLICATE,
    EVENT,
    GAP,
    LOST,
    ORDER,
    REPLAY,
    Findings,
)

_END = "k8s.io/initial-events-end"


def judge_journey(log: Log, journey: Journey, findings: Findings) -> None:
    """`journey`: one watcher."""
    replay = Replay(log, journey, findings)
    for leg in journey.legs:
        if isinstance(leg, Read):
            replay.list(leg)
            continue
        _StreamJudge(log, leg, findings).judge()
        replay.stream(leg)


class Replay:
    """The state that a client library has after each event. It knows the rules of events, but not the history."""

    def __init__(self, log: Log, journey: Journey, findings: Findings) -> None:
        self._log = log
        self._selection = journey.selection
        self._findings = findings
        self._state: dict[str, tuple[int, Json]] = {}

    def list(self, read: Read) -> None:
        self._state = {_name(item): (version(item), stored(item)) for item in read.answer["items"]}

    def stream(self, stream: Stream) -> None:
        if stream.since is None:
            self._state = {}
        for event in stream.events:
            obj = event["object"]
            if event["type"] == "BOOKMARK":
                self._compare(version(obj), "bookmark")
            elif event["type"] != "ERROR":
                self._apply(event["type"], obj)
        if stream.complete and stream.code == 0 and stream.opened:
            self._compare(self._log.end, "end")

    def _apply(self, type_: str, obj: Json) -> None:
        name, at = _name(obj), version(obj)
        held = self._state.get(name)
        fits = (type_ == "ADDED") == (held is None)
        self._findings.expect(EVENT, fits, f"{self._selection}: {type_} of {name} at {at}, which was {held}")
        if held is not None and at <= held[0]:
            self._findings.add(ORDER, f"{self._selection}: {name} at {at} after {held[0]}")
        if type_ == "DELETED":
            self._state.pop(name, None)
        else:
            self._state[name] = at, stored(obj)

    def _compare(self, revision: int, at: str) -> None:
        if revision > self._log.end:
            self._findings.add(BOOKMARK, f"{self._selection}: {revision} does not exist")
            return
        expected = {
            f"{key.namespace}/{key.name}": (state.revision, state.value)
            for key, state in self._log.selected(self._selection, revision)
        }
        names = self._state.keys(), expected.keys()
        case = f"{self._selection}, {at} at {revision}: {sorted(names[0])}, expected {sorted(names[1])}"
        self._findings.expect(REPLAY, self._state == expected, case)


class _StreamJudge:
    """Compares one stream with the history."""

    def __init__(self, log: Log, stream: Stream, findings: Findings) -> None:
        self._log = log
        self._stream = stream
        self._findings = findings
        self._where = f"{stream.selection} since {stream.since}, opened at {stream.opened}"

    def judge(self) -> None:
        stream = self._stream
        if stream.code >= 400:
            self._findings.add(GAP, f"{self._where}: refused with {stream.code}")
        if stream.opened > self._log.end:
            self._findings.add(LOST, f"{self._where}: the history ends at {self._log.end}")
            return
        if not stream.opened:
            return
        events = [_event(event, stream) for event in stream.events]
        expected = self._expected(events)
        at = 0
        for event in events:
            if event.type == "BOOKMARK":
                self._judge_bookmark(event, expected[at : at + 1])
            elif event.type == "ERROR":
                self._judge_error(event)
                return
            elif event in expected[at : at + 1]:
                at += 1
            else:
                self._diagnose(event, expected, at)
                return
        if stream.complete and stream.code == 0 and expected[at:]:
            self._findings.add(GAP, f"{self._where}: never got {', '.join(map(str, expected[at:][:3]))}")

    def _expected(self, events: list[Event]) -> list[Event]:
        stream, log = self._stream, self._log
        if stream.since is not None:
            return [*log.events(stream.selection, stream.since)]
        initial = [
            Event("ADDED", key, state.revision, state.value)
            for key, state in log.selected(stream.selection, stream.opened)
        ]
        return [*initial, *islice(log.events(stream.selection, stream.opened), len(events) + 1000)]

    def _judge_bookmark(self, bookmark: Event, following: list[Event]) -> None:
        """All events up to a bookmark have been sent before it; its revision has been reached."""
        late = bool(following) and following[0].revision <= bookmark.revision
        self._findings.expect(BOOKMARK, not late, f"{self._where}: {bookmark.revision} before {following}")
        self._findings.expect(BOOKMARK, bookmark.revision <= self._log.end, f"{self._where}: {bookmark.revision}")
        ends = _END in bookmark.value["metadata"].get("annotations", {})
        if ends:
            right = self._stream.initial and bookmark.revision == self._stream.opened
            self._findings.expect(BOOKMARK, right, f"{self._where}: end of the objects at {bookmark.revision}")

    def _judge_error(self, error: Event) -> None:
        """A watch ends with 410 only if it missed something; never while its revision is the current one."""
        fresh = self._stream.since == self._stream.opened == self._stream.latest
        expired = error.value.get("code") == 410 and not fresh
        self._findings.expect(GAP, expired, f"{self._where}: {error.value.get('message')}")

    def _diagnose(self, event: Event, expected: list[Event], at: int) -> None:
        """Why an event is not the next one."""
        due = expected[at] if at < len(expected) else None
        case = f"{self._where}: {event}, expected {due}"
        if event in expected[:at]:
            self._findings.add(DUPLICATE, case)
        elif event not in expected[at:]:
            self._findings.add(EVENT, case)
        elif due in [_event(later, self._stream) for later in self._stream.events]:
            self._findings.add(ORDER, case)
        else:
            self._findings.add(GAP, case)


def _event(event: Json, stream: Stream) -> Event:
    obj = event["object"]
    meta = obj.get("metadata", {})
    key = Key(stream.selection.collection.plural, meta.get("namespace", ""), meta.get("name", ""))
    return Event(event["type"], key, version({"metadata": meta}), stored({**obj, "metadata": meta}))


def _name(obj: Json) -> str:
    return f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"
