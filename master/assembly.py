"""Makes the master's components, connects them and runs them: the only module that knows all of them.

Owns the order of start and stop. main.py imports it late, because it loads everything that takes time.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final

from master import bootstrap, cluster_api, kinds, memory
from master.api.resources import Resources
from master.cache import Cache
from master.clock import Clock, SystemClock
from master.component.events import EventRecorder
from master.config import MasterConfig
from master.datadir import CLUSTER_ID_KEY
from master.dispatch import authority, token
from master.dispatch.agentstreams import AgentStreams
from master.dispatch.connections import ConnectionStreams
from master.dispatch.desired import DesiredState
from master.dispatch.identities import Identities
from master.dispatch.join import JoinService
from master.dispatch.logs import LogStreams
from master.dispatch.nodequeries import QueryStreams
from master.dispatch.nodes import Nodes
from master.dispatch.processes import ProcessStreams
from master.dispatch.reports import Reports
from master.dispatch.sessions import Sessions
from master.dispatch.trust import Trust
from master.pki import Pki
from master.store.errors import StoreError
from master.store.interface import Compare, CompareFailed, Put, Store
from master.store.sqlite import SqliteStore
from master.upkeep import Upkeep

log = logging.getLogger(__name__)

Supervised = Callable[[], AbstractAsyncContextManager[None]]
Run = Callable[[], Coroutine[Any, Any, None]]
"""Runs a component until it is cancelled."""

KNOWN_FAILURES: Final = (StoreError, token.BadToken, authority.OtherAuthority, OSError)
"""Errors that a person can fix: reported in one line without a traceback."""


@dataclass(frozen=True, slots=True)
class _Core:
    """The parts from which the others are made."""

    config: MasterConfig
    config_path: Path | None
    pki: Pki
    clock: Clock
    store: SqliteStore
    cluster_id: str
    resources: Resources
    recorder: EventRecorder
    sessions: Sessions
    identities: Identities
    trust: Trust
    supervised: Supervised = nullcontext


async def serve(
    config: MasterConfig,
    pki: Pki,
    store: SqliteStore,
    stopping: asyncio.Event,
    config_path: Path | None = None,
    supervised: Supervised = nullcontext,
) -> None:
    """Runs everything until `stopping` is set. Raises a group with the errors of the failed components.

    `store`: being opened; it is closed at the end.
    `config_path`: the configuration file, from which changed addresses of the master are read while it runs.
    `supervised`: entered when the API answers.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        await store.opened()
        stack.push_async_callback(store.close)
        core = replace(await _core(config, pki, clock, store, config_path), supervised=supervised)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(), name=name) for name, run in _parts(core)]
            await stopping.wait()
            for task in tasks:
                task.cancel()


async def _core(config: MasterConfig, pki: Pki, clock: Clock, store: SqliteStore, config_path: Path | None) -> _Core:
    cluster_id = await _cluster_id(store)
    await authority.check(store, pki)
    registry = kinds.registry(
        kinds.ServiceRanges(IPv4Network(config.service_cidr), config.node_ports), lists_old=config.list_old_versions
    )
    cache = await Cache.load(store, registry, clock=clock)
    memory.freeze()
    sessions = Sessions(clock, heartbeat_s=config.heartbeat_s, grace_s=config.grace_s)
    resources = cluster_api.resources(store, cache, registry, clock=clock, token_key=pki.token_key, usages=sessions)
    if config.bootstrap_token_file is not None:
        await bootstrap.ensure(resources, config)  # makes the token's namespace
        await token.make_valid(resources, token.read(config.bootstrap_token_file))
    identities = Identities(store, clock, cluster_cidr=config.cluster_cidr, pod_cidr_prefix=config.pod_cidr_prefix)
    return _Core(
        config=config,
        config_path=config_path,
        pki=pki,
        clock=clock,
        store=store,
        cluster_id=cluster_id,
        resources=resources,
        recorder=EventRecorder(resources, clock),
        sessions=sessions,
        identities=identities,
        trust=Trust(pki, identities, sessions, store),
    )


def _parts(core: _Core) -> list[tuple[str, Run]]:
    """The components by name. The others begin when the API answers: they have much to read.

    Those that are only needed then are imported then.
    """
    config, clock, resources = core.config, core.clock, core.resources
    join = JoinService(
        resources.cache,
        core.identities,
        core.pki,
        clock,
        cluster_id=core.cluster_id,
        session_port=config.session_port,
        cidrs=(config.cluster_cidr, config.service_cidr),
    )
    streams = AgentStreams(core.sessions)
    desired = DesiredState(
        resources.cache,
        core.sessions,
        cluster_cidr=config.cluster_cidr,
        service_cidr=config.service_cidr,
        recorder=core.recorder,
    )
    upkeep = Upkeep(core.pki, clock, core.config_path, lambda moved: bootstrap.ensure(resources, moved))
    api = cluster_api.server(
        *(config, resources, core.pki, LogStreams(streams, clock), join),
        processes=ProcessStreams(streams),
        connections=ConnectionStreams(streams),
        queries=QueryStreams(streams),
    )
    others: list[tuple[str, Run]] = [
        ("supervisor", partial(_notify_supervisor, core.supervised)),
        ("desired state", desired.run),
        ("sessions", partial(_serve_sessions, core, desired, streams)),
        ("session watch", core.sessions.run),
        ("identities", core.identities.run),
        ("certificates", upkeep.run),
        ("control", partial(_serve_control, core)),
        ("events", core.recorder.run),
        ("memory", partial(memory.run, clock)),
        ("scheduler", partial(_schedule, core)),
        ("controllers", partial(_run_controllers, core)),
    ]
    return [("API", api.run), *((name, partial(_after, api.ready, run)) for name, run in others)]


async def _after(ready: asyncio.Event, run: Run) -> None:
    await ready.wait()
    await run()


async def _notify_supervisor(supervised: Supervised) -> None:
    async with supervised():
        await asyncio.Event().wait()


async def _serve_control(core: _Core) -> None:
    from master.control import Control

    await Control(core.pki, core.trust, core.identities, core.store, core.cluster_id, core.config_path).run()


async def _schedule(core: _Core) -> None:
    from master.scheduler.scheduler import Scheduler

    await Scheduler(core.resources, core.clock, core.recorder).run()


async def _run_controllers(core: _Core) -> None:
    from master.controllers.main import controllers

    made = controllers(
        core.resources,
        core.sessions,
        core.clock,
        core.config,
        recorder=core.recorder,
        ca_pem=lambda: core.pki.ca_pem,
    )
    async with asyncio.TaskGroup() as group:
        for controller in made:
            group.create_task(controller.run(), name=controller.name)


async def _serve_sessions(core: _Core, desired: DesiredState, streams: AgentStreams) -> None:
    # Loading gRPC takes a while.
    from master.dispatch.accounttokens import AccountTokens
    from master.dispatch.departures import Departures
    from master.dispatch.server import SessionServer
    from master.dispatch.service import MasterService

    service = MasterService(
        cluster_id=core.cluster_id,
        identities=core.identities,
        sessions=core.sessions,
        nodes=Nodes(core.resources, core.clock),
        desired=desired,
        reports=Reports(core.resources, core.recorder, core.clock),
        streams=streams,
        departures=Departures(core.resources, core.identities, core.sessions),
        trust=core.trust,
        pki=core.pki,
        tokens=AccountTokens(core.resources),
    )
    config = core.config
    await SessionServer(service, core.pki, address=config.listen_address, port=config.session_port).run()


async def _cluster_id(store: Store) -> str:
    """The cluster's id, which is made at the first start."""
    stored = await store.get(CLUSTER_ID_KEY)
    if stored is None:
        made = str(uuid.uuid4())
        try:
            await store.commit([Compare(CLUSTER_ID_KEY, 0)], [Put(CLUSTER_ID_KEY, made.encode())])
        except CompareFailed:
            return await _cluster_id(store)
        log.warning("the store is new: this is the empty cluster %s", made)
        return made
    return stored.value.decode()
