"""What the node (node.py) uses of the parts that it connects.

Protocols only, so that its tests can put fakes in the place of pods, DNS, relay, meter and events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from agent import model
from agent.connections import Connection
from agent.runtime.process import Process
from agent.statuses import Event, PodStatus
from agent.usage.figures import Snapshot
from agent.usage.meter import Measured
from agent.wire.names import DnsContent


class Pods(Measured, Protocol):
    """The part of PodManager (agent/pods) that is used."""

    async def run(self) -> None: ...
    async def apply(self, desired: model.Desired, *, complete: bool) -> None: ...
    def statuses(self) -> Iterable[PodStatus]: ...
    async def listed(self) -> None: ...
    @property
    def idle(self) -> bool: ...
    def pod_uids(self) -> frozenset[model.PodUid]: ...
    def logs(self, request: model.LogRequest) -> AsyncIterator[bytes]: ...
    def process(self, request: model.ProcessRequest) -> AbstractAsyncContextManager[Process]: ...
    def connection(self, request: model.ConnectionRequest) -> AbstractAsyncContextManager[Connection]: ...


class Dns(Protocol):
    """The part of DnsProcess (agent/dnsprocess.py) that is used."""

    def apply(self, content: DnsContent | None) -> None: ...
    async def run(self) -> None: ...
    async def stop(self) -> None: ...


class Relay(Protocol):
    """The part of Relay (agent/relay) that is used."""

    async def run(self) -> None: ...


class Meter(Protocol):
    """The part of Meter (agent/usage) that is used."""

    @property
    def snapshot(self) -> Snapshot: ...
    async def run(self, pods: Measured) -> None: ...


class Events(Protocol):
    """The part of ReportQueue (agent/session) that is used."""

    def event(self, event: Event) -> None: ...
