"""A host in a directory and a master, for tests of joining and leaving.

The master is the real one over REST and gRPC on loopback; the host's kernel, engine and systemd are not touched.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from agent import host as agent_host
from agent.identity import files
from host.layout import unit_name
from host.membership.join import join
from host.membership.leave import LeaveRequest, ResetRequest, leave, reset
from host.membership.machine import Host, JoinRequest
from host.membership.unit import AgentUnit
from host.preflight.finding import Finding
from hull.errors import ProgramFailed
from hull.systemd import Unit
from master import kinds
from master.api.server import ApiServer
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import Pod, PodSpec
from master.objects.meta import ObjectMeta
from tests.fakes.sessions import CALLER, TOKEN, AgentEnd, MasterEnd, until

R = TypeVar("R", LeaveRequest, ResetRequest)


@dataclass
class Systemd:
    """Runs systemctl and journalctl of the agent's unit, without an agent: what that does is up to the test."""

    installed: bool = True
    runs: bool = False
    """Otherwise it has failed."""
    started: bool = False
    inactive: int = 0
    """How often a unit that was started is still not active."""
    verbs: list[str] = field(default_factory=list)
    """The verbs of the systemctl commands that change something, except `reset-failed`."""

    def run(self, *argv: str) -> str:
        match [word for word in argv if not word.startswith("-")]:
            case ["journalctl", *_]:
                return "no route to the engine\n"
            case ["systemctl", "list-jobs", _]:
                return ""
            case ["systemctl", "show", _] if "--property=ActiveState" in argv:
                return f"ActiveState={'active' if self._is_active() else 'activating'}\n"
            case ["systemctl", "show", _]:
                state, sub, result = ("active", "running", "") if self.runs else ("failed", "failed", "exit-code")
                return f"ActiveState={state}\nSubState={sub}\nResult={result}\n"
            case ["systemctl", "reset-failed", _]:
                raise ProgramFailed("nothing has failed")
            case ["systemctl", verb, _]:
                self.verbs.append(verb)
                self.started = verb in ("start", "restart") or (verb == "enable" and self.started)
                self.runs = self.runs and verb == "enable"
        return ""

    def _is_active(self) -> bool:
        if not (self.runs or self.started):
            return False
        self.inactive -= 1
        return self.inactive < 0


@dataclass
class World:
    """A host in a directory, and a master."""

    master: MasterEnd
    api: ApiServer
    directory: Path
    systemd: Systemd = field(default_factory=Systemd)
    messages: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    slept_s: float = 0.0

    @property
    def config(self) -> Path:
        return self.directory / "etc" / "agent.toml"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def lock(self) -> Path:
        return self.directory.with_name("lock")

    @property
    def this_host(self) -> Host:
        return Host(
            unit=AgentUnit(Unit(unit_name("agent"), self.systemd.run) if self.systemd.installed else None),
            say=self.messages.append,
            lock=self.lock,
            sleep=self._sleep,
            monotonic=lambda: self.slept_s,
            findings=lambda _: self.findings,
        )

    def _sleep(self, seconds: float) -> None:
        """Ten times as fast as the clock."""
        self.slept_s += seconds
        time.sleep(seconds / 10)

    def request(self, **change: Any) -> JoinRequest:
        master = f"https://127.0.0.1:{self.api.port}"
        settings = {"state_dir": str(self.state), "node_name": "n", "master": master, "node_address": "10.0.0.1"}
        values: dict[str, Any] = {"token": TOKEN, "ca_hash": self.master.pki.ca_hash, "timeout_s": 3.0} | change
        return JoinRequest(config_path=self.config, settings=settings | values.pop("settings", {}), **values)

    async def join(self, **change: Any) -> None:
        await asyncio.to_thread(join, self.this_host, self.request(**change))

    async def leave(self, **options: Any) -> None:
        await asyncio.to_thread(leave, self.this_host, self._departing(LeaveRequest, **options))

    async def reset(self, **options: Any) -> None:
        await asyncio.to_thread(reset, self.this_host, self._departing(ResetRequest, **options))

    def _departing(self, kind: type[R], **options: Any) -> R:
        return kind(self.config, self.state, self.directory / "engine.sock", **options)

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[AgentEnd]:
        """The host's agent, and its node Ready."""
        identity = files.load(self.state)
        assert identity is not None
        machine = {"machine": agent_host.machine_id(self.state), "address": "10.0.0.1"}
        with ExitStack() as holding:
            holding.enter_context(files.locked(self.state))
            async with AgentEnd(identity, self.state, **machine).running() as end, asyncio.TaskGroup() as group:

                async def ends() -> None:
                    await end.done.wait()
                    files.wipe(self.state)
                    holding.close()

                task = group.create_task(ends())
                await until(lambda: self.master.ready("n") == "True")
                yield end
                task.cancel()

    async def pod(self) -> None:
        """On the node; it does not end."""
        spec = PodSpec(containers=(Container(name="app", image="app:1"),), node_name="n")
        pod = Pod(metadata=ObjectMeta(name="web", namespace="default"), spec=spec)
        await self.master.resources.create(CALLER, kinds.POD, pod, namespace="default")

    async def cordon(self) -> None:
        """As a person does it."""
        await self.master.resources.mutate(
            CALLER, kinds.NODE, "", "n", lambda node: replace(node, spec=replace(node.spec, unschedulable=True))
        )

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.directory)) for path in self.directory.rglob("*") if path.is_file())
