"""What writers and watchers need of the run that they are part of."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Final, Protocol

from tests.service.master.api.history.process import Lost, Process
from tests.service.master.api.history.record import Read, Record
from tests.service.master.api.history.things import Json, Key, Selection

_GONE: Final = 410


class Run(Protocol):
    """The run."""

    @property
    def record(self) -> Record: ...

    @property
    def over(self) -> bool: ...

    async def up(self) -> Process: ...

    def spend(self) -> bool: ...

    def stamp(self) -> int: ...

    def delivered(self, events: list[Json]) -> list[Json]: ...

    def listed(self, answer: Json) -> Json: ...


async def read(run: Run, selection: Selection, key: Key | None = None) -> Read:
    """A list, or one object; tried again after the master's death."""
    while True:
        process = await run.up()
        began = process.revision
        try:
            code, answer = await process.request("GET", key.path if key is not None else selection.path())
        except Lost:
            continue
        return Read(selection, began, process.revision, code, answer if key is not None else run.listed(answer), key)


async def pages(run: Run, selection: Selection, chance: Random) -> list[Read]:
    """A list in pages, while others write. Empty if a page came too late, or if the master died."""
    process = await run.up()
    began, limit = process.revision, chance.choice((1, 2, 5))
    items: list[Json] = []
    versions, token = set(), ""
    while True:
        query = {"limit": str(limit), **({"continue": token} if token else {})}
        try:
            code, answer = await process.request("GET", selection.path(**query))
        except Lost:
            return []
        if code == _GONE and token:
            return []
        items += answer["items"]
        versions.add(answer["metadata"]["resourceVersion"])
        ended = process.revision
        token = answer["metadata"].get("continue", "")
        if not token:
            break
        for _ in range(chance.choice((0, 0, 10, 40))):
            await asyncio.sleep(0)
    version = versions.pop() if len(versions) == 1 else "0"
    return [Read(selection, began, ended, code, {"metadata": {"resourceVersion": version}, "items": items})]
