"""Judges lists, single reads and followers of the cache: each has the state at one revision."""

from __future__ import annotations

from tests.service.master.api.history.log import Log, stored, version
from tests.service.master.api.history.record import Read, Sight
from tests.service.master.api.history.verdict import EVENT, LIST, REPLAY, Findings


def judge_read(log: Log, read: Read, findings: Findings) -> None:
    if read.key is not None:
        _judge_object(log, read, findings)
        return
    at = version(read.answer)
    inside = read.code == 200 and read.began <= at <= read.ended <= log.end
    findings.expect(LIST, inside, f"{read.selection}: {read.code}, {at} is not in {read.began}-{read.ended}")
    if not inside:
        return
    got = [(stored(item), version(item)) for item in read.answer["items"]]
    expected = [
        (state.value, state.revision)
        for key, state in log.selected(read.selection, at)
        if (read.after is None or key > read.after) and (read.upto is None or key <= read.upto)
    ]
    if got != expected:
        more = [item["metadata"]["name"] for item, _ in got], [item["metadata"]["name"] for item, _ in expected]
        findings.add(LIST, f"{read.selection} at {at}: {more[0]}, expected {more[1]}")


def _judge_object(log: Log, read: Read, findings: Findings) -> None:
    assert read.key is not None
    states = log.states(read.key, read.began, read.ended)
    if read.code == 404:
        findings.expect(LIST, None in states, f"{read.key} was there at {read.began}-{read.ended}")
        return
    got = (stored(read.answer), version(read.answer)) if read.code == 200 else (read.answer, read.code)
    there = [(state.value, state.revision) for state in states if state is not None]
    findings.expect(LIST, got in there, f"{read.key} at {read.began}-{read.ended}: {got}")


def judge_sight(log: Log, sight: Sight, findings: Findings) -> None:
    """What a follower has after a batch is the state at the batch's revision."""
    objects = log.objects[sight.revision] if sight.revision <= log.end else {}
    expected = {key: (state.value, state.revision) for key, state in objects.items() if key.plural in sight.plurals}
    got = {key: (stored(value), version(value)) for key, value in sight.state.items()}
    different = sorted(key for key in got.keys() | expected.keys() if got.get(key) != expected.get(key))
    case = f"a follower of {sight.plurals} at {sight.revision}: {', '.join(map(str, different))}"
    findings.expect(REPLAY, not different, case)
    findings.expect(EVENT, not sight.wrong, f"a follower of {sight.plurals} at {sight.revision}: {sight.wrong}")
