"""A component of the master that follows the cache, as the scheduler and the dispatcher do. It dies with the master."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from random import Random

from master.cache import Change, Entry, Lagged
from tests.service.master.api.history import client
from tests.service.master.api.history.process import Process
from tests.service.master.api.history.record import Sight
from tests.service.master.api.history.things import KINDS, Json, Key

# Changes that may wait for it, if it wants all of them.
_QUEUE = 8


class Follower:
    """Keeps the state of two kinds. `latest`: it wants only the latest state of each object."""

    def __init__(self, run: client.Run, chance: Random, *, latest: bool) -> None:
        self._run = run
        self._chance = chance
        self._latest = latest
        self._plurals = tuple(chance.sample([*KINDS], 2))

    async def run(self) -> None:
        while True:
            process = await self._run.up()
            await self._follow(process)

    async def _follow(self, process: Process) -> None:
        kinds = [KINDS[plural] for plural in self._plurals]
        with process.resources.cache.subscribe(*kinds, limit=_QUEUE, latest=self._latest) as subscription:
            state = {_key(entry): _value(entry) for entry in subscription.snapshot.entries()}
            self._see(subscription.revision, state)
            try:
                while not process.death.dead.is_set():
                    for _ in range(self._chance.choice((1, 1, 50, 300))):
                        await asyncio.sleep(0)
                    while (batch := subscription.take()) is not None:
                        wrong = [str(change) for change in batch.changes if not _applied(change, state)]
                        self._see(batch.revision, state, wrong)
            except Lagged:
                return

    def _see(self, revision: int, state: dict[Key, Json], wrong: Sequence[str] = ()) -> None:
        self._run.record.sights.append(Sight(self._plurals, revision, dict(state), tuple(wrong)))


def _applied(change: Change, state: dict[Key, Json]) -> bool:
    """Applies a change. Returns whether it begins with the state that the follower has."""
    held = state.pop(_key(change.entry), None)
    before = None if change.before is None else _value(change.before)
    if change.type != "DELETED":
        state[_key(change.entry)] = _value(change.entry)
    return held == before and (held is None) == (change.type == "ADDED")


def _key(entry: Entry) -> Key:
    return Key(entry.kind.plural, entry.namespace, entry.name)


def _value(entry: Entry) -> Json:
    value: Json = json.loads(entry.raw)
    return value
