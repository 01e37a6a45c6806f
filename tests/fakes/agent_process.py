"""An agent's sessions on a fake machine in a process of its own, so that its memory can be measured.

The process runs this file as its main module: `STATE_DIR MAX_STATE_BYTES`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.identity import files
from agent.identity.files import Identity
from proto import contract
from tests.fakes.hostile import peak_bytes
from tests.fakes.sessions import AgentEnd

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class AgentProcess:
    """A running agent."""

    pid: int
    log: Path

    def peak_bytes(self) -> int:
        return peak_bytes(self.pid)

    def logged(self, text: str) -> bool:
        return text in self.log.read_text()

    def warnings(self) -> list[str]:
        """Lines of warnings and worse, tracebacks included."""
        return [line for line in self.log.read_text().splitlines() if not line.startswith(("INFO ", "DEBUG "))]


@contextlib.contextmanager
def running(identity: Identity, directory: Path, *, max_state_bytes: int) -> Iterator[AgentProcess]:
    """Start an agent with this identity, and end it."""
    files.save(directory, identity)
    log = directory / "log"
    with log.open("w") as file:
        command = [sys.executable, "-P", "-m", __name__, str(directory), str(max_state_bytes)]
        process = subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=file, stderr=file)
    try:
        yield AgentProcess(process.pid, log)
        assert process.poll() is None, log.read_text()
    finally:
        process.kill()
        process.wait()


async def _main(state_dir: Path, max_state_bytes: int) -> None:
    contract.MAX_STATE_BYTES = max_state_bytes
    identity = files.load(state_dir)
    assert identity is not None
    await AgentEnd(identity, state_dir).loop.run()


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.INFO)
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
