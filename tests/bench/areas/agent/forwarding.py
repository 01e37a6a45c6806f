"""Throughput of port-forward by a websocket of the API, against a bare relay over the same hops (relay.py).

The relay's processes are where ours are: one in the master's network namespace, one in the node's. Client and server
are the same. The client runs in this process and sends pieces as large as the agent's; the time begins when it is
connected. Both take turns.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import aiohttp

from client.kubeconfig import load_kubeconfig
from client.rest import RestClient
from client.tls import context_for
from hull import processes
from lab.cluster import Cluster
from lab.environment import clean_environment
from lab.layout import CACHE_ROOT
from tests.bench.areas.agent.relay import HEAD, PIECE_BYTES
from tests.bench.figure import Figure
from tests.bench.lab import PODS, ROOT, create_ready, delete_gone, pod

ROUNDS = 5
PIECES = 100_000_000 // PIECE_BYTES
GOAL = 0.6
_SERVER_PORT, _FRONT_PORT, _CALLS_PORT = 7001, 7002, 7003
_CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Way:
    """How to reach the server. `channel` precedes the bytes of each message; `greetings`: messages before the bytes."""

    address: str
    tls: ssl.SSLContext
    channel: bytes = b""
    greetings: int = 0


def measure(cluster: Cluster, client: RestClient, node: str) -> Iterator[Figure]:
    create_ready(client, pod("forwarded", node))
    tls = context_for(load_kubeconfig(cluster.kubeconfig))
    with ExitStack() as stack:
        front = _relay(cluster, node, stack)
        query = f"{PODS}/forwarded/portforward?ports={_SERVER_PORT}"
        ours = Way(f"{client.access.server}{query}", tls, channel=b"\0", greetings=2)
        yield from asyncio.run(_compare(ours, Way(front, tls)))
    delete_gone(client, "forwarded")


def _relay(cluster: Cluster, node: str, stack: ExitStack) -> str:
    """Start the server and the relay's processes; returns the relay's address."""
    layout, master = cluster.lab.layout, cluster.lab.state.master
    logs = Path(stack.enter_context(TemporaryDirectory()))
    sandbox = Path(f"/proc/{cluster.pod('default', 'forwarded')}/ns/net")
    start = partial(_start, stack, logs)
    start("serve", sandbox, str(_SERVER_PORT))
    pki = layout.host(master.name).master_data / "pki"
    start("front", layout.host(master.name).netns, str(pki), str(master.address), str(_FRONT_PORT), str(_CALLS_PORT))
    state_dir, calls = layout.host(node).agent_state, f"{master.address}:{_CALLS_PORT}"
    start("back", layout.host(node).netns, str(state_dir), calls, str(sandbox), str(_SERVER_PORT))
    return f"https://{master.address}:{_FRONT_PORT}/"


def _start(stack: ExitStack, logs: Path, role: str, netns: Path, *arguments: str) -> None:
    command = [sys.executable, "-P", "-m", "tests.bench.areas.agent.relay", role, *arguments]
    environment = clean_environment(PYTHONPATH=str(ROOT), HOME=str(CACHE_ROOT))
    record = processes.start(command, log=logs / role, env=environment, netns=netns)
    stack.callback(processes.kill, record)


async def _compare(ours: Way, floor: Way) -> list[Figure]:
    async with aiohttp.ClientSession() as session:
        await _until_up(session, floor)
        figures = []
        for name, sent, wanted in (("portforward_from_ratio", 0, PIECES), ("portforward_to_ratio", PIECES, 1)):
            pairs = [
                (await _taken(session, ours, sent, wanted), await _taken(session, floor, sent, wanted))
                for _ in range(ROUNDS)
            ]
            ratio = median(bare for _, bare in pairs) / median(taken for taken, _ in pairs)
            figures.append(Figure("agent", name, ratio, "x", goal=GOAL, floor=1.0, at_least=True))
    return figures


async def _until_up(session: aiohttp.ClientSession, way: Way) -> None:
    """Wait until the relay carries a byte."""
    async with asyncio.timeout(_CONNECT_S):
        while True:
            try:
                await _taken(session, way, 0, 1)
            except (aiohttp.ClientError, aiohttp.WSMessageTypeError, OSError):
                await asyncio.sleep(0.05)
            else:
                return


async def _taken(session: aiohttp.ClientSession, way: Way, sent: int, wanted: int) -> float:
    """Seconds until the server has got `sent` pieces and its `wanted` pieces have arrived."""
    async with session.ws_connect(way.address, ssl=way.tls, compress=0, max_msg_size=0) as socket:
        for _ in range(way.greetings):
            await socket.receive_bytes()
        start = time.perf_counter()
        await socket.send_bytes(way.channel + HEAD.pack(sent * PIECE_BYTES, wanted * PIECE_BYTES))
        piece = way.channel + bytes(PIECE_BYTES)
        for _ in range(sent):
            await socket.send_bytes(piece)
        left = wanted * PIECE_BYTES
        while left:
            left -= len(await socket.receive_bytes()) - len(way.channel)
        return time.perf_counter() - start
