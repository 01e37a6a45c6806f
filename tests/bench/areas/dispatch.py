"""dispatch/commit_us_5000_nodes: processor time of the dispatcher for a commit of one pod, beside 5,000 sessions.

From the commit's arrival until the node's session has the message. The cache and the sessions' agents are fakes in this
process: a queue of changes, and a task for each session that reads its stream.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from master.clock import SystemClock
from master.dispatch.desired import DesiredState
from master.dispatch.sessions import Machine, Session, Sessions
from master.kinds import NODE, POD
from master.kinds.core.node import Node, NodeAddress, NodeSpec, NodeStatus
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import Pod, PodSpec
from master.objects.meta import ObjectMeta
from tests.bench.figure import Figure

NODES = 5000
WARM_UP = 200
COMMITS = 2000


def measure() -> Iterator[Figure]:
    yield Figure("dispatch", "commit_us_5000_nodes", asyncio.run(_commit_us()), "µs", goal=100.0)


@dataclass(frozen=True, slots=True)
class _Change:
    kind: Any
    type: str
    obj: Any


@dataclass(frozen=True, slots=True)
class _Batch:
    revision: int
    changes: tuple[_Change, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """An object of the snapshot."""

    obj: Any

    def read(self) -> Any:
        return self.obj


@dataclass(frozen=True, slots=True)
class _Snapshot:
    objects: tuple[Any, ...]

    def entries(self) -> Iterator[_Entry]:
        return (_Entry(obj) for obj in self.objects)


@dataclass
class _Feed:
    """A cache with one follower: a snapshot of nodes, then the batches that are put into its queue."""

    snapshot: _Snapshot
    revision: int = 1
    batches: asyncio.Queue[_Batch] = field(default_factory=asyncio.Queue)

    @contextmanager
    def subscribe(self, *kinds: Any, latest: bool = False) -> Iterator[_Feed]:
        # The dispatcher follows the deletions of nodes by themselves; here, no node is deleted.
        yield self if kinds != (NODE,) else _Feed(_Snapshot(()))

    def entry(self, *_: Any) -> bool:
        return True

    def __aiter__(self) -> AsyncIterator[_Batch]:
        return self

    async def __anext__(self) -> _Batch:
        return await self.batches.get()


async def _commit_us() -> float:
    feed = _Feed(_Snapshot(tuple(_node(number) for number in range(NODES))))
    clock = SystemClock()
    sessions = Sessions(clock, heartbeat_s=10, grace_s=40)
    cidrs = {"cluster_cidr": "10.0.0.0/8", "service_cidr": "172.16.0.0/16"}
    desired = DesiredState(feed, sessions, **cidrs)  # type: ignore[arg-type]
    received: asyncio.Queue[int] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(desired.run())]
        for number in range(NODES):
            machine = Machine(f"machine-{number}", _address(number))
            session = sessions.open(f"node-{number}", machine, "f", removed=False)
            tasks.append(group.create_task(_read(desired, session, received)))
        for _ in range(NODES):
            await received.get()  # the snapshots
        used_s = 0.0
        for commit in range(WARM_UP + COMMITS):
            change = _Change(POD, "ADDED", _pod(commit))
            began_s = time.process_time()
            feed.batches.put_nowait(_Batch(commit + 2, (change,)))
            await received.get()
            if commit >= WARM_UP:
                used_s += time.process_time() - began_s
        for task in tasks:
            task.cancel()
    return used_s / COMMITS * 1e6


async def _read(desired: DesiredState, session: Session, received: asyncio.Queue[int]) -> None:
    """The agent of one session. Each cut here is one message."""
    async for message in desired.stream(session):
        received.put_nowait(len(message))


def _address(number: int) -> str:
    return f"192.168.{number // 250}.{number % 250 + 1}"


def _node(number: int) -> Node:
    status = NodeStatus(addresses=(NodeAddress(type="InternalIP", address=_address(number)),))
    cidr = f"10.{number // 256}.{number % 256}.0/24"
    return Node(metadata=ObjectMeta(name=f"node-{number}"), spec=NodeSpec(pod_cidr=cidr), status=status)


def _pod(number: int) -> Pod:
    labels = {"app": "web", "pod-template-hash": "5d59d67564"}
    meta = ObjectMeta(name=f"web-{number}", namespace="default", uid=f"uid-{number}", labels=labels)
    container = Container(name="web", image="registry.example/web:1.27", image_pull_policy="IfNotPresent")
    spec = PodSpec(node_name=f"node-{number * 7 % NODES}", containers=(container,), restart_policy="Always")
    return Pod(metadata=meta, spec=spec)
