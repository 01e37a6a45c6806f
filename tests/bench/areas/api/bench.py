"""What the stages of the area share: the sizes, the directories, the event loop of the client, and the floor."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import uvloop

from master.store.interface import Put
from tests.bench.areas.api import servers, stored
from tests.bench.areas.api.servers import Server
from tests.bench.areas.api.sizes import Sizes
from tests.bench.figure import Figure

T = TypeVar("T")
_REAL_DISK = "/var/tmp"


@dataclass(frozen=True, slots=True)
class Bench:
    sizes: Sizes
    directory: Path
    """The master's; each stage starts a master there, on the store that the stage needs."""
    floor: Server
    client: asyncio.Runner

    def run(self, awaitable: Awaitable[T]) -> T:
        """Runs one piece of the client's work. Connections stay open between pieces."""

        async def piece() -> T:
            return await awaitable

        return self.client.run(piece())

    @contextlib.contextmanager
    def master(self) -> Iterator[Server]:
        """A master on the store as it is, when it has become idle."""
        with servers.master(self.directory) as server:
            server.quiet()
            yield server

    @property
    def store(self) -> Path:
        return self.directory / "data" / "store.db"

    def fill(self, puts: Iterable[Put], *, empty: bool) -> None:
        """Adds values to the store, or with `empty` replaces the store. No master may run."""
        if empty:
            for path in self.store.parent.glob(f"{self.store.name}*"):
                path.unlink()
        self.run(stored.fill(self.store, puts))

    def settled_mb(self, server: Server) -> float:
        """The resident memory of a server that does nothing."""
        server.quiet()
        time.sleep(self.sizes.settle_s)
        return server.resident_mb()


@contextlib.contextmanager
def workplace(sizes: Sizes) -> Iterator[Bench]:
    with (
        tempfile.TemporaryDirectory(prefix="sampan-bench-", dir=_REAL_DISK) as scratch,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as client,
    ):
        directories = [Path(scratch, name) for name in ("master", "floor")]
        for directory in directories:
            directory.mkdir()
        # The first start makes the certificates and compiles the modules.
        with servers.master(directories[0]):
            pass
        with servers.floor(directories[1]) as floor:
            yield Bench(sizes, directories[0], floor, client)


def figure(name: str, value: float, unit: str, goal: float | None, *, at_least: bool = False) -> Figure:
    """A figure of this area. The floor of a ratio is 1 by definition."""
    floor = 1.0 if unit == "x" else None
    return Figure("api", name, value, unit, goal=goal, floor=floor, at_least=at_least)


def note(text: str) -> None:
    """Prints the measured values of which a ratio consists."""
    print(f"    {text}", file=sys.stderr, flush=True)
