"""A writer: random operations on the shared objects, by REST or by the typed way inside of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from tests.service.master.api.history import client
from tests.service.master.api.history.process import Lost, Process
from tests.service.master.api.history.record import ANY_TIME, UNKNOWN, Read, Write
from tests.service.master.api.history.things import (
    GENERATED,
    NAMES,
    NAMESPACES,
    STATUS_STAMP,
    Json,
    Key,
    Selection,
    any_key,
    any_selection,
    chosen_address,
    content,
    labels,
    marks,
)

_FINALIZER: Final = "example.com/held"
_UNAVAILABLE: Final = 503
# The part of requests that are only tried.
_DRY: Final = 0.05
# The part of requests whose client disconnects before the answer.
_LEAVES: Final = 0.04
_METHODS: Final = {"create": "POST", "update": "PUT", "patch": "PATCH", "status": "PUT", "delete": "DELETE"}


class Writer:
    """One writer. It remembers the objects that it got, so that some of its updates are stale."""

    def __init__(self, run: client.Run, number: int, chance: Random) -> None:
        self._run = run
        self._number = number
        self._chance = chance
        self._seen: dict[Key, Json] = {}

    async def run(self) -> None:
        actions: dict[Callable[[], Awaitable[None]], int] = {
            self.create: 24,
            self.create_at_once: 3,
            self.update: 20,
            self.patch: 16,
            self.status: 8,
            self.finalizers: 8,
            self.delete: 14,
            self.delete_collection: 2,
            self.read: 8,
            self.read_pages: 3,
        }
        while self._run.spend():
            await self._chance.choices([*actions], [*actions.values()])[0]()

    # -- operations -----------------------------------------------------------------------------------------------

    async def create(self) -> None:
        key, stamp = any_key(self._chance), self._run.stamp()
        generate = self._chance.random() < 0.15
        meta: Json = {"labels": labels(self._chance), "annotations": marks(stamp, self._number)}
        meta.update({"generateName": GENERATED} if generate else {"name": key.name})
        if self._chance.random() < 0.15:
            meta["finalizers"] = [_FINALIZER]
        body = {"metadata": meta, **content(key.plural, self._chance, stamp)}
        await self._send(Write(stamp, "create", Key(key.plural, key.namespace, "" if generate else key.name), body))

    async def create_at_once(self) -> None:
        """Several services that ask for the same address, at the same time."""
        address = chosen_address(self._chance)
        async with asyncio.TaskGroup() as group:
            for namespace in NAMESPACES:
                stamp = self._run.stamp()
                meta: Json = {"name": self._chance.choice(NAMES), "annotations": marks(stamp, self._number)}
                body: Json = {"metadata": meta, "spec": {"clusterIP": address, "ports": [{"port": 80}]}}
                key = Key("services", namespace, meta["name"])
                group.create_task(self._send(Write(stamp, "create", key, body)))

    async def update(self) -> None:
        """Replaces an object, sometimes one that was seen long ago, sometimes without its version."""
        key, old = await self._some_object()
        if old is None:
            return
        stamp = self._run.stamp()
        meta = {**old["metadata"], "labels": labels(self._chance)}
        meta["annotations"] = {**meta.get("annotations", {}), **marks(stamp, self._number)}
        new = content(key.plural, self._chance, stamp)
        if key.plural == "services":
            new["spec"].pop("clusterIP", None)
        await self._put(Write(stamp, "update", key), {**old, **new, "metadata": meta})

    async def finalizers(self) -> None:
        """Adds or removes a finalizer; an object that is being deleted may be removed by that."""
        key, old = await self._some_object()
        if old is None:
            return
        stamp = self._run.stamp()
        meta = {**old["metadata"]}
        held = bool(meta.get("finalizers")) or "deletionTimestamp" in meta
        meta["finalizers"] = [] if held else [_FINALIZER]
        meta["annotations"] = {**meta.get("annotations", {}), **marks(stamp, self._number)}
        await self._put(Write(stamp, "update", key), {**old, "metadata": meta})

    async def status(self) -> None:
        key, old = await self._some_object()
        if old is None or key.plural != "replicationcontrollers":
            return
        stamp = self._run.stamp()
        status = {**old.get("status", {}), "replicas": self._chance.randrange(9), STATUS_STAMP: stamp}
        await self._put(Write(stamp, "status", key), {**old, "status": status})

    async def _put(self, write: Write, body: Json) -> None:
        write.body, meta = body, body["metadata"]
        write.uid = meta.get("uid", "")
        if self._chance.random() < 0.3:
            write.body = {**body, "metadata": {k: v for k, v in meta.items() if k not in ("resourceVersion", "uid")}}
            write.uid = ""
        write.version = write.body["metadata"].get("resourceVersion", "")
        await self._send(write)

    async def patch(self) -> None:
        key, stamp = any_key(self._chance), self._run.stamp()
        tier = self._chance.choice(("front", "back", None))
        meta: Json = {"annotations": marks(stamp, self._number), "labels": {"tier": tier}}
        write = Write(stamp, "patch", key, {"metadata": meta})
        seen = self._seen.get(key)
        if seen is not None and self._chance.random() < 0.4:
            write.version = meta["resourceVersion"] = seen["metadata"]["resourceVersion"]
        await self._send(write)

    async def delete(self) -> None:
        key = any_key(self._chance)
        write = Write(self._run.stamp(), "delete", key)
        if self._chance.random() < 0.8:
            write.body["propagationPolicy"] = self._chance.choice(("Background", "Background", "Foreground"))
        seen = self._seen.get(key)
        if seen is not None and self._chance.random() < 0.5:
            preconditions: Json = {"uid": seen["metadata"]["uid"]}
            write.uid = seen["metadata"]["uid"]
            if self._chance.random() < 0.5:
                write.version = preconditions["resourceVersion"] = seen["metadata"]["resourceVersion"]
            write.body["preconditions"] = preconditions
        await self._send(write)

    async def delete_collection(self) -> None:
        namespace = self._chance.choice(("default", "kube-public"))
        selector = self._chance.choice(("tier=front", "!tier"))
        selection = Selection(Key(any_key(self._chance).plural, namespace), selector)
        body = {"propagationPolicy": "Background"}
        await self._send(Write(self._run.stamp(), "delete", selection.collection, body, selection=selection))

    # -- reading --------------------------------------------------------------------------------------------------

    async def read(self) -> None:
        if self._chance.random() < 0.5:
            self._run.record.reads.append(await client.read(self._run, any_selection(self._chance)))
        else:
            await self._get(any_key(self._chance))

    async def read_pages(self) -> None:
        self._run.record.reads += await client.pages(self._run, any_selection(self._chance), self._chance)

    async def _get(self, key: Key) -> Read:
        got = await client.read(self._run, Selection(Key(key.plural, key.namespace)), key)
        self._run.record.reads.append(got)
        if got.code == 200:
            self._seen[key] = got.answer
        return got

    async def _some_object(self) -> tuple[Key, Json | None]:
        """An object that was read just now or, sometimes, before."""
        key = any_key(self._chance)
        if self._seen and self._chance.random() < 0.7:
            key = self._chance.choice([*self._seen])
        if key in self._seen and self._chance.random() < 0.3:
            return key, self._seen[key]
        got = await self._get(key)
        return key, got.answer if got.code == 200 else None

    # -- sending --------------------------------------------------------------------------------------------------

    async def _send(self, write: Write) -> None:
        """Sends the request once. After the master's death the outcome is unknown, and not tried again."""
        process = await self._run.up()
        write.began = process.revision
        write.dry = self._chance.random() < _DRY
        self._run.record.writes.append(write)
        try:
            write.code, write.answer = await self._answer_or_leave(process, write)
            write.ended = process.revision if write.code != UNKNOWN else ANY_TIME
        except Lost:
            write.code = UNKNOWN
            write.ended = (await self._run.up()).loaded
            return
        if write.accepted and write.verb != "delete":
            meta = write.answer["metadata"]
            self._seen[Key(write.key.plural, write.key.namespace, meta["name"])] = write.answer

    async def _answer_or_leave(self, process: Process, write: Write) -> tuple[int, Json]:
        """The answer; UNKNOWN if the client disconnects before, or if the disk failed. Raises Lost."""
        answer = asyncio.create_task(self._answer(process, write))
        if self._chance.random() < _LEAVES:
            for _ in range(self._chance.randrange(12)):
                await asyncio.sleep(0)
            if not answer.done():
                answer.cancel()
                await asyncio.gather(answer, return_exceptions=True)
                return UNKNOWN, {}
        code, value = await answer
        unsure = code == _UNAVAILABLE and "the store cannot write now" in value["message"]
        return (UNKNOWN, {}) if unsure else (code, value)

    async def _answer(self, process: Process, write: Write) -> tuple[int, Json]:
        typed = write.verb != "delete" and not write.dry and not (write.verb == "patch" and write.version)
        if typed and self._chance.random() < 0.25:
            return await process.inside(write)
        path = write.key.path
        if write.verb == "create":
            path = Key(write.key.plural, write.key.namespace).path
        if write.verb == "status":
            path += "/status"
        if write.selection is not None:
            path = write.selection.path()
        if write.dry:
            path += ("&" if "?" in path else "?") + "dryRun=All"
        return await process.request(_METHODS[write.verb], path, write.body)
