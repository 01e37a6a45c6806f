"""A master with one node and one pod, whose containers are fake: real HTTPS in front, real gRPC with TLS behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio

from master import cluster_api
from master.config import MasterConfig
from master.dispatch.agentstreams import AgentStream
from master.dispatch.connections import ConnectionStreams
from master.dispatch.nodequeries import QueryStreams
from master.dispatch.processes import ProcessStreams
from master.pki import Pki
from tests.fakes.sessions import AgentEnd, MasterEnd, master_end, until
from tests.masters import Client, FakeJoin

V5 = "v5.channel.k8s.io"
PODS = "/api/v1/namespaces/default/pods"
POD = f"{PODS}/web"
ADDRESS = "10.244.0.5"


@dataclass
class Bed:
    master: MasterEnd
    agent: AgentEnd
    client: Client
    session: aiohttp.ClientSession
    directory: Path

    def exec(
        self,
        command: str = "run",
        *,
        protocols: tuple[str, ...] = (V5,),
        more: str = "",
        verb: str = "exec",
        pod: str = "web",
        headers: Sequence[tuple[str, str]] = (),
    ) -> Any:
        """A websocket."""
        address = self.client.url(f"{PODS}/{pod}/{verb}?command={command}&stdin=1&stdout=1{more}")
        return self.session.ws_connect(address, protocols=protocols, headers=headers, ssl=self.client.context)

    def log(self, query: str = "", *, protocols: tuple[str, ...]) -> Any:
        """A websocket."""
        address = self.client.url(f"{POD}/log?{query}")
        return self.session.ws_connect(address, protocols=protocols, ssl=self.client.context)

    async def begun(self) -> AgentStream:
        """Waits until the only process is asked for; the master's end of its streams."""
        await until(lambda: self.agent.machine.process_requests)
        (stream,) = self.master.streams._streams.values()
        return stream

    async def kubectl(
        self, binary: Path, *arguments: str, terminal: int | None = None, **environment: str
    ) -> asyncio.subprocess.Process:
        """A kubectl of the administrator, with pipes, or with a terminal instead."""
        pipe = asyncio.subprocess.PIPE
        tls, ca = self.client.pki, self.directory / "ca.pem"
        ca.write_bytes(tls.ca_pem)
        return await asyncio.create_subprocess_exec(
            str(binary),
            *(f"--server={self.client.url('')}", f"--certificate-authority={ca}"),
            *(f"--client-certificate={tls.admin.certificate}", f"--client-key={tls.admin.key}"),
            *arguments,
            stdin=pipe if terminal is None else terminal,
            stdout=pipe if terminal is None else terminal,
            stderr=pipe if terminal is None else terminal,
            env={"HOME": str(self.directory), "KUBECONFIG": "/dev/null", **environment},
        )


@pytest_asyncio.fixture
async def bed(pki: Pki, tmp_path: Path) -> AsyncIterator[Bed]:
    config = MasterConfig(data_dir=tmp_path, listen_address="127.0.0.1", api_port=0)
    async with master_end(pki) as master:
        streams = master.streams
        server = cluster_api.server(
            *(config, master.resources, pki, master.logs, FakeJoin()),
            processes=ProcessStreams(streams),
            connections=ConnectionStreams(streams),
            queries=QueryStreams(streams),
        )
        running = asyncio.create_task(server.run())
        await server.ready.wait()
        agent = AgentEnd(await master.identity("node-1"), tmp_path)
        async with aiohttp.ClientSession() as session, agent.running():
            await until(lambda: agent.desired.complete)
            client = Client(session, f"https://127.0.0.1:{server.port}", pki, master.resources)
            spec = {"nodeName": "node-1", "containers": [{"name": "app", "image": "a"}]}
            await client("POST", PODS, {"metadata": {"name": "web"}, "spec": spec})
            yield Bed(master, agent, client, session, tmp_path)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@pytest_asyncio.fixture
async def pod_runs(bed: Bed) -> None:
    """The pod has an address. Requests for ports are only for pods that run."""
    headers = {"Content-Type": "application/merge-patch+json"}
    patch = {"status": {"phase": "Running", "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}]}}
    answer = await bed.client("PATCH", f"{POD}/status", patch, headers=headers)
    assert answer.status == 200, answer.body
