"""The judges find injected faults: each one breaks the promise that it must break."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from master.api.pipeline import metadata
from master.cache.history import History
from master.registry.strategy import Strategy
from tests.service.master.api.history import faults, verdict
from tests.service.master.api.history.conftest import Runner
from tests.service.master.api.history.judgement import judge
from tests.service.master.api.history.world import Faults

# Operations of a run. A fault that needs a coincidence may need several runs.
_WRITES, _RUNS = 300, 5

_OF_COMMITS = [
    (faults.without_comparisons, (verdict.UPDATE,)),
    (faults.without_new_unique_keys, (verdict.UNIQUE,)),
    (faults.with_unique_keys_kept, (verdict.UNIQUE,)),
    (faults.without_the_object, (verdict.LOST, verdict.UNIQUE)),
    (faults.never_for_configmaps, (verdict.REFUSED,)),
]
_OF_STREAMS = [
    (faults.without_the_last, (verdict.GAP, verdict.REPLAY)),
    (faults.with_the_last_twice, (verdict.DUPLICATE, verdict.EVENT)),
    (faults.swapped, (verdict.ORDER,)),
    (faults.of_another_type, (verdict.EVENT,)),
    (faults.never_deleted, (verdict.GAP, verdict.REPLAY)),
    (faults.with_early_bookmarks, (verdict.BOOKMARK, verdict.REPLAY)),
]


def finds(simulate: Runner, injected: Faults, *rules: str) -> bool:
    """Whether one of a few runs with the fault breaks one of these promises."""
    runs = (judge(simulate(seed, writes=_WRITES, faults=injected)) for seed in range(_RUNS))
    return any(violation.rule in rules for violations in runs for violation in violations)


@pytest.mark.parametrize(("fault", "rules"), _OF_COMMITS, ids=lambda value: getattr(value, "__name__", ""))
def test_faulty_commits_are_found(simulate: Runner, fault: Any, rules: tuple[str, ...]) -> None:
    assert finds(simulate, Faults(commit=faults.commits(fault)), *rules)


@pytest.mark.parametrize(("fault", "rules"), _OF_STREAMS, ids=lambda value: getattr(value, "__name__", ""))
def test_faulty_streams_are_found(simulate: Runner, fault: Any, rules: tuple[str, ...]) -> None:
    assert finds(simulate, Faults(deliver=faults.Now(fault)), *rules)


def test_lists_of_an_old_state_are_found(simulate: Runner) -> None:
    assert finds(simulate, Faults(listed=faults.OldLists()), verdict.LIST)


def test_a_disk_that_loses_acknowledged_commits_is_found(simulate: Runner) -> None:
    assert finds(simulate, Faults(disk=faults.OldDisk()), verdict.LOST)


def test_uids_that_come_back_are_found(simulate: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.cycle(range(50))
    monkeypatch.setattr(metadata, "new_uid", lambda: str(next(numbers)))
    assert finds(simulate, Faults(), verdict.UID)


def test_a_generation_that_stays_is_found(simulate: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Strategy, "moves_generation", lambda *_: False)
    assert finds(simulate, Faults(), verdict.GENERATION)


def test_a_watch_history_without_its_oldest_change_is_found(simulate: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    after = History.after
    monkeypatch.setattr(History, "after", lambda *given: after(*given)[1:])
    assert finds(simulate, Faults(), verdict.GAP)
