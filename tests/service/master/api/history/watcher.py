"""A watcher, as a client library is one: it lists, follows the changes, connects again, and starts over after a 410."""

from __future__ import annotations

import asyncio
import contextlib
import json
from random import Random
from typing import Final

from tests.service.master.api.history import client
from tests.service.master.api.history.process import Line, Lost, Process
from tests.service.master.api.history.record import Journey, Stream
from tests.service.master.api.history.things import any_selection

# Parts of a stream after which the watcher disconnects.
_PATIENCE: Final = (1, 60)
# Rounds of the loop in which a slow watcher reads nothing.
_SLOW: Final = 400


class Watcher:
    """One watcher. Its manners are random: its selection, how it begins, how slowly it reads, when it disconnects."""

    def __init__(self, run: client.Run, chance: Random) -> None:
        self._run = run
        self._chance = chance
        self._journey = Journey(any_selection(chance))
        self._bookmarks = chance.random() < 0.6
        self._pause = chance.choice((0, 0, 1, 4, _SLOW))
        self._version: int | None = None
        run.record.journeys.append(self._journey)

    async def run(self) -> None:
        await self._begin()
        while True:
            await self._follow()

    async def _begin(self) -> None:
        """Gets the state: by a list, or by the stream itself."""
        self._version = None
        if self._chance.random() < 0.5:
            listed = await client.read(self._run, self._journey.selection)
            self._journey.legs.append(listed)
            self._version = int(listed.answer["metadata"]["resourceVersion"])
            # Changes go on until the watch begins.
            for _ in range(self._chance.choice((0, 0, 5, 60))):
                await asyncio.sleep(0)

    async def _follow(self) -> None:
        """One connection, until one of both ends it."""
        process = await self._run.up()
        stream = Stream(self._journey.selection, self._version, complete=True)
        self._journey.legs.append(stream)
        query = {"watch": "true", "allowWatchBookmarks": "true" if self._bookmarks else "false"}
        if self._version is not None:
            query["resourceVersion"] = str(self._version)
        elif self._chance.random() < 0.5:
            stream.initial = True
            query.update(sendInitialEvents="true", resourceVersionMatch="NotOlderThan")
        elif self._chance.random() < 0.5:
            query["resourceVersion"] = "0"
        patience = 1 << 40 if self._run.over else self._chance.randint(*_PATIENCE)
        line = self._line(process, stream, enough := asyncio.Event(), patience)
        serving = asyncio.create_task(process.stream(self._journey.selection.path(**query), line))
        leaving = asyncio.create_task(enough.wait())
        try:
            await asyncio.wait((serving, leaving), return_when=asyncio.FIRST_COMPLETED)
            stream.complete = False
            if serving.done():
                with contextlib.suppress(Lost):
                    stream.code = serving.result()
        finally:
            serving.cancel()
            leaving.cancel()
            await asyncio.gather(serving, leaving, return_exceptions=True)
        await self._continue(stream)

    def _line(self, process: Process, stream: Stream, enough: asyncio.Event, patience: int) -> Line:
        """The connection. The watcher leaves after so many parts of the stream."""

        def began() -> None:
            stream.opened = process.revision

        def took(data: bytes) -> None:
            nonlocal patience
            stream.latest = process.revision
            stream.events += self._run.delivered([json.loads(part) for part in data.splitlines()])
            patience -= 1
            if patience <= 0:
                line.closed = True
                enough.set()

        async def pause() -> None:
            for _ in range(0 if self._run.over else self._pause):
                await asyncio.sleep(0)

        def full() -> bool:
            return self._chance.random() < (0.2 if self._pause < _SLOW else 0.8)

        line = Line(began=began, took=took, pause=pause, full=full)
        return line

    async def _continue(self, stream: Stream) -> None:
        last = stream.events[-1] if stream.events else None
        if stream.code >= 400 or (last is not None and last["type"] == "ERROR"):
            await self._begin()
            return
        if self._version is None and not _initial_state_is_complete(stream):
            # It is unknown whether there are more objects.
            await self._begin()
            return
        if last is not None:
            self._version = int(last["object"]["metadata"]["resourceVersion"])


def _initial_state_is_complete(stream: Stream) -> bool:
    """Whether all objects have arrived: only the bookmark after them says so."""
    return any("annotations" in event["object"]["metadata"] for event in stream.events if event["type"] == "BOOKMARK")
