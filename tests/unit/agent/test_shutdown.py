"""What an agent does before it ends: pods end only if the host shuts down and that is configured."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.config import AgentConfig
from agent.model import ObjectRef, PodUid
from agent.session.reporter import ReportQueue
from agent.shutdown import REPORTED_S, Shutdown
from agent.statuses import PodStatus
from tests.unit.agent.fakes import HandClock, settle


class Host:
    """A host whose pods end at once. Each step is logged."""

    def __init__(self, *, stops: bool) -> None:
        self.log: list[str] = []
        self.clock = HandClock()
        self.reports = ReportQueue(lambda uid: ObjectRef("default", uid))
        self._stops = stops

    def asked(self) -> bool:
        self.log.append("asked")
        return self._stops

    def shutting_down(self) -> None:
        self.log.append("not ready")

    async def shut_down(self, *, grace_s: int, critical_s: int) -> None:
        self.log.append(f"pods {grace_s} {critical_s}")
        self.reports.report(PodStatus(PodUid("u1"), "default", "web"))

    def shutdown(self, grace_s: int, critical_s: int = 0) -> Shutdown:
        config = AgentConfig(
            state_dir=Path("/nowhere"),
            node_name="n1",
            master="https://10.0.0.1:6443",
            shutdown_grace_period_s=grace_s,
            shutdown_grace_period_critical_pods_s=critical_s,
        )
        return Shutdown(
            config,
            self,
            self,
            self.reports,
            self.clock,
            host_shuts_down=self.asked,
            tell_systemd=self.log.append,
        )


@pytest.mark.parametrize(("grace_s", "stops", "log"), [(0, True, []), (30, False, ["asked"])], ids=["off", "restart"])
async def test_an_agent_that_ends_alone_ends_no_pod(grace_s: int, stops: bool, log: list[str]) -> None:
    host = Host(stops=stops)
    await host.shutdown(grace_s).run()
    assert host.log == log


@pytest.mark.parametrize("away", [False, True], ids=["the master answers", "the master is away"])
async def test_before_the_host_stops_the_pods_end_and_the_master_gets_their_statuses(away: bool) -> None:
    host = Host(stops=True)
    ending = asyncio.create_task(host.shutdown(30, 10).run(), name="shutdown")
    while len(host.log) < 4:
        await settle()
    assert host.log == ["asked", "EXTEND_TIMEOUT_USEC=45000000", "not ready", "pods 30 10"]
    batch = host.reports.take_pods()
    await host.clock.advance(REPORTED_S - 1)
    assert not ending.done()
    if away:
        host.reports.put_back_pods(batch)
        await host.clock.advance(2)
    else:
        host.reports.acknowledged()
        await host.clock.advance(0.2)
    assert ending.done()
    await ending
