"""A run: a master that dies at random and starts again on the same disk, its writers and its watchers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from master.pki import Pki
from master.store.interface import Commit, KeyValue, Revision
from tests.service.master.api.history.disk import FILE, HISTORY, NEVER, PLACES, CommitFault, Death, Killed, SteppedStore
from tests.service.master.api.history.follower import Follower
from tests.service.master.api.history.process import Lost, Process
from tests.service.master.api.history.record import Record
from tests.service.master.api.history.things import WRITERS, Json
from tests.service.master.api.history.watcher import Watcher
from tests.service.master.api.history.writer import Writer

# Commits in a life of the master.
_LIFE: Final = (1, 80)
_LONGEST_S: Final = 40.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes only when the test says so. Its order of events is the same in each run."""

    now = 0.0

    def time(self) -> float:
        return self.now


@dataclass(frozen=True)
class Faults:
    """Injected faults, to prove that the judgement finds them. `deliver` changes what one watcher gets at a time."""

    commit: CommitFault | None = None
    deliver: Callable[[list[Json]], list[Json]] | None = None
    listed: Callable[[Json], Json] | None = None
    disk: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Outcome:
    """What the clients saw, and what is on the disk at the end: all commits, and all keys."""

    record: Record
    commits: list[Commit]
    keys: list[KeyValue]
    revision: int


class World:
    """All parts of a run. `writes`: the number of operations of all writers together.

    `deaths`: at most this number; with 0 the store works in its own thread, and the seed does not repeat the run.
    """

    def __init__(self, directory: Path, seed: int, *, pki: Pki, writes: int, deaths: int, faults: Faults) -> None:
        self.record = Record()
        self.faults = faults
        self.over = False
        self._directory = directory
        self._chance = Random(seed)
        self._pki = pki
        self._writes = writes
        self._deaths = deaths
        self._stamps = itertools.count(1)
        self._process: Process | None = None
        self._up = asyncio.Event()
        self._lives = itertools.count()

    # -- for clients ----------------------------------------------------------------------------------------------

    async def up(self) -> Process:
        """The master, as soon as there is one that has not died."""
        while self._process is None or self._process.death.dead.is_set():
            self._up.clear()
            await self._up.wait()
        return self._process

    def spend(self) -> bool:
        """Whether another operation may begin. Time passes with them."""
        self._writes -= 1
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        if self._chance.random() < 0.1:
            loop.now += self._chance.random() * _LONGEST_S
        return self._writes >= 0

    def stamp(self) -> int:
        return next(self._stamps)

    def delivered(self, events: list[Json]) -> list[Json]:
        return events if self.faults.deliver is None else self.faults.deliver(events)

    def listed(self, answer: Json) -> Json:
        return answer if self.faults.listed is None else self.faults.listed(answer)

    # -- the run --------------------------------------------------------------------------------------------------

    async def run(self, writers: int, watchers: int) -> Outcome:
        chances = [Random(self._chance.random()) for _ in range(writers + watchers + 2)]
        working = [Writer(self, number, chances.pop()) for number in range(writers)]
        watching = [Watcher(self, chances.pop()) for _ in range(watchers)]
        following = [Follower(self, chances.pop(), latest=latest) for latest in (False, True)]
        async with asyncio.TaskGroup() as group:
            master = group.create_task(self._master(), name="master")
            followers = [group.create_task(watcher.run(), name="watcher") for watcher in watching]
            followers += [group.create_task(follower.run(), name="follower") for follower in following]
            async with asyncio.TaskGroup() as writing:
                for writer in working:
                    writing.create_task(writer.run(), name="writer")
            process = await self._last()
            self.over = True
            await _settled(self.record)
            for follower in followers:
                follower.cancel()
            await asyncio.gather(*followers, return_exceptions=True)
            master.cancel()
        return await self._outcome(process)

    async def _master(self) -> None:
        """Starts the master, and again after each of its deaths."""
        directory = self._directory / "life-0"
        directory.mkdir()
        while True:
            death = self._next_death(directory)
            try:
                mortal = death if self._deaths else None
                self._process = await Process.start(mortal, directory, self._pki, self.faults.commit)
                self._up.set()
                await death.dead.wait()
            except Lost:
                pass
            self.record.deaths.append(death.place)
            directory = death.left_in
            if self.faults.disk is not None:
                self.faults.disk(directory)

    def _next_death(self, directory: Path) -> Death:
        mortal = len(self.record.deaths) < self._deaths
        return Death(
            directory,
            self._directory / f"life-{next(self._lives) + 1}",
            Random(self._chance.random()),
            self._chance.randint(*_LIFE) if mortal else NEVER,
            self._chance.choice(PLACES),
        )

    async def _last(self) -> Process:
        """The process that lives at the end: from now on it does not die, and its disk does not fail.

        A master whose disk failed does not know all that is on the disk until it is started again.
        """
        while True:
            process = await self.up()
            process.death.groups, process.death.errors = NEVER, 0.0
            if not process.store._database._broken:
                return process
            with contextlib.suppress(Killed):
                process.death.die(process.death.content())

    async def _outcome(self, process: Process) -> Outcome:
        """Closes the store and reads the file."""
        await process.store.close()
        store = await SteppedStore.open(process.death.directory / FILE, history=HISTORY)
        commits = await store.history(Revision(0))
        keys, revision = await store.list("/")
        await store.close()
        return Outcome(self.record, commits, keys, revision)


async def _settled(record: Record) -> None:
    """Waits until no watcher has got anything for a while."""
    quiet, before = 0, -1
    while quiet < 50:
        for _ in range(20):
            await asyncio.sleep(0)
        events = sum(1 for journey in record.journeys for leg in journey.legs for _ in getattr(leg, "events", [leg]))
        quiet, before = (quiet + 1 if events == before else 0), events


def run(
    directory: Path,
    seed: int,
    *,
    pki: Pki,
    writes: int,
    deaths: int,
    watchers: int = 7,
    faults: Faults = Faults(),
) -> Outcome:
    """One run of this seed. The product's own random numbers are of the seed as well."""
    state = random.getstate()
    random.seed(seed)
    try:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(_run(directory, seed, pki, writes, deaths, watchers, faults))
    finally:
        random.setstate(state)


async def _run(
    directory: Path, seed: int, pki: Pki, writes: int, deaths: int, watchers: int, faults: Faults
) -> Outcome:
    world = World(directory, seed, pki=pki, writes=writes, deaths=deaths, faults=faults)
    return await world.run(WRITERS, watchers)
