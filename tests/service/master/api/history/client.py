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
    """A list in pages, while others write, and while the master may die.

    If a page comes too late, the rest of the list is of another revision, as the answer permits: a list of its own.
    """
    limit, token = str(chance.choice((1, 2, 5))), ""
    parts: list[Read] = []
    part: Read | None = None
    after: Key | None = None
    while part is None or token:
        query = {"limit": limit, **({"continue": token} if token else {})}
        process = await run.up()
        began = process.revision
        try:
            code, answer = await process.request("GET", selection.path(**query))
        except Lost:
            continue
        token = answer["metadata"].get("continue", "")
        if code == _GONE and part is not None:
            part.upto, part = after, None
            continue
        if part is None:
            part = Read(selection, began, process.revision, code, answer, after=after)
            parts.append(part)
        else:
            _join(part, code, answer)
        after = _key(answer["items"][-1], selection) if token else None
        for _ in range(chance.choice((0, 0, 10, 40))):
            await asyncio.sleep(0)
    return parts


def _join(part: Read, code: int, page: Json) -> None:
    """Adds the next page. All pages of a list have one revision; a page of another one makes the list a failure."""
    same = page["metadata"]["resourceVersion"] == part.answer["metadata"]["resourceVersion"]
    part.code = code if same else 0
    part.answer["items"] += page["items"]


def _key(item: Json, selection: Selection) -> Key:
    meta = item["metadata"]
    return Key(selection.collection.plural, meta["namespace"], meta["name"])
