"""A master of today on the first release's store, and the clock of the time when that was recorded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fakes.clock import START, FakeClock
from tests.first_release import RECORDED_AT, unpack
from tests.unit.first_release import product as p


@pytest.fixture
def clock() -> FakeClock:
    made = FakeClock()
    made.ahead = RECORDED_AT - START
    return made


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A copy of the master's data directory."""
    return unpack("master/data.tar.xz", tmp_path) / "master"


@dataclass(frozen=True)
class Master:
    """Everything that speaks, without a port: calls are made of the objects."""

    store: p.SqliteStore
    cache: p.Cache
    resources: p.Resources
    identities: p.Identities
    desired: p.MasterDesired
    service: p.MasterService
    join: p.JoinService
    events: p.EventRecorder
    logs: p.LogStreams
    pki: p.Pki
    cluster_id: str


@pytest_asyncio.fixture
async def master(data_dir: Path, clock: FakeClock) -> AsyncIterator[Master]:
    """A master with the store and the certificates of the first release."""
    config = p.MasterConfig(data_dir=data_dir, listen_address="127.0.0.1", api_port=0)
    pki = p.Pki.prepare(config, now=clock.now)
    store = await p.SqliteStore.open(data_dir / "store.db")
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        await p.authority.check(store, pki)
        made = await _master(store, pki, clock)
        tasks = [asyncio.create_task(each.run()) for each in (made.desired, made.events)]
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _master(store: p.SqliteStore, pki: p.Pki, clock: FakeClock) -> Master:
    cidrs = ("10.244.0.0/16", "10.96.0.0/16")
    cluster_id = (await store.get("/meta/cluster-id")).value.decode()  # type: ignore[union-attr]
    registry = p.kinds.registry(p.kinds.ServiceRanges(IPv4Network(cidrs[1]), range(30000, 32768)))
    cache = await p.Cache.load(store, registry)
    resources = p.cluster_api.resources(store, cache, registry, clock=clock)
    sessions = p.Sessions(clock, heartbeat_s=1.0, grace_s=5.0)
    identities = p.Identities(store, clock, cluster_cidr=cidrs[0], pod_cidr_prefix=24)
    desired = p.MasterDesired(cache, sessions, cluster_cidr=cidrs[0], service_cidr=cidrs[1])
    events = p.EventRecorder(resources, clock)
    streams = p.AgentStreams(sessions)
    logs = p.LogStreams(streams, clock)
    service = p.MasterService(
        cluster_id=cluster_id,
        identities=identities,
        sessions=sessions,
        nodes=p.Nodes(resources, clock),
        desired=desired,
        reports=p.Reports(resources, events, clock),
        streams=streams,
        departures=p.Departures(resources, identities, sessions),
        trust=p.Trust(pki, identities, sessions, store),
        pki=pki,
        tokens=p.AccountTokens(resources),
    )
    join = p.JoinService(cache, identities, pki, clock, cluster_id=cluster_id, session_port=6444, cidrs=cidrs)
    return Master(store, cache, resources, identities, desired, service, join, events, logs, pki, cluster_id)
