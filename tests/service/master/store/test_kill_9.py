"""Acknowledged writes of the SQLite store survive a kill -9."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from master.store.sqlite import SqliteStore

_WRITER = """
import asyncio, sys
from pathlib import Path
from master.store.interface import Put
from master.store.sqlite import SqliteStore

async def write(store, lane):
    number = 0
    while True:
        await store.commit([], [Put(f"/{lane}/{number}/a", b"x" * 500), Put(f"/{lane}/{number}/b", b"y" * 500)])
        # Printed only after the commit was acknowledged.
        sys.stdout.write(f"{lane} {number}\\n")
        sys.stdout.flush()
        number += 1

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]), history=50)
    await asyncio.gather(*(write(store, lane) for lane in range(8)))

asyncio.run(main())
"""


def test_acknowledged_writes_survive_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().split() for _ in range(400)]
    writer.kill()
    acknowledged += [line.split() for line in writer.stdout.read().splitlines() if len(line.split()) == 2]
    writer.stdout.close()
    writer.wait()
    keys = asyncio.run(_keys(path))
    missing = [pair for pair in acknowledged if f"/{pair[0]}/{pair[1]}/a" not in keys]
    assert not missing
    halves = {key[:-1] + {"a": "b", "b": "a"}[key[-1]] for key in keys}
    assert halves == keys, "only half of a commit was written"


async def _keys(path: Path) -> set[str]:
    store = await SqliteStore.open(path)
    keys = {value.key for value in (await store.list("/"))[0]}
    await store.close()
    return keys
