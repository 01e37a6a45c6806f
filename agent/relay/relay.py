"""Relay: holds node ports and host ports on the node's loopback, and relays their TCP connections.

The rules of netstack leave out 127.0.0.0/8: a packet with such a source cannot leave the loopback unless the kernel's
`route_localnet` is set, which would let neighbours on the network reach what listens on 127.0.0.1. So a process of the
node that connects to 127.0.0.1:PORT reaches a socket of the agent. The socket holds the port on the loopback only: that
keeps other programs from listening on it there or on all addresses, and opens nothing to the network.

Owns the listening sockets and the tasks of the connections. Connections end with the agent.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from agent.clock import Clock
from agent.relay.copying import carry, reset_on_close
from agent.relay.ports import Key, RelayPort, relay_ports
from netstack.desired import PublishedPort, ServicePort

MAX_CONNECTIONS: Final = 512
"""Connections of all ports together, of which one port gets half: a pod that hangs, or a greedy client, must not stop
the other ports. More are reset."""
RETRY_S: Final = 10.0
"""How often a port that could not be opened is tried again."""
_BACKLOG: Final = 128
_BATCH: Final = 50
"""Ports that are opened before other tasks get their turn."""

log = logging.getLogger(__name__)


class Relay:
    """The node's relay. `serve` says which ports it has, `run` holds them."""

    def __init__(
        self, clock: Clock, *, on_problem: Callable[[str], None], max_connections: int = MAX_CONNECTIONS
    ) -> None:
        """`on_problem` gets why a port cannot be opened, once."""
        self._clock = clock
        self._on_problem = on_problem
        self._max_connections = max_connections
        self._wanted: Mapping[Key, RelayPort] = {}
        self._changed = asyncio.Event()
        self._listeners: dict[Key, socket.socket] = {}
        self._problems: dict[Key, str] = {}
        self._connections: dict[asyncio.Task[None], Key] = {}
        self._full: set[Key] = set()

    @property
    def open_ports(self) -> frozenset[Key]:
        """The ports on which the relay listens now."""
        return frozenset(self._listeners)

    def serve(self, services: Iterable[ServicePort], host_ports: Iterable[PublishedPort]) -> None:
        """Serve the ports of these from now on, and no others. Connections of other ports go on until they end."""
        self._wanted = relay_ports(services, host_ports)
        self._changed.set()

    async def run(self) -> None:
        """Hold the ports until cancelled; then end all connections."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._retry(), name="relay retries")
            try:
                while True:
                    await self._changed.wait()
                    self._changed.clear()
                    await self._bring(group)
            finally:
                for key in tuple(self._listeners):
                    self._close(key)

    async def _retry(self) -> None:
        while True:
            await self._clock.sleep(RETRY_S)
            if self._problems:
                self._changed.set()

    async def _bring(self, group: asyncio.TaskGroup) -> None:
        wanted = self._wanted
        for key in self._listeners.keys() - wanted.keys():
            self._close(key)
        self._problems = {key: problem for key, problem in self._problems.items() if key in wanted}
        self._full &= wanted.keys()
        for number, key in enumerate(key for key in wanted if key not in self._listeners):
            self._open(key, wanted[key], group)
            if number % _BATCH == _BATCH - 1:
                await asyncio.sleep(0)

    def _open(self, key: Key, port: RelayPort, group: asyncio.TaskGroup) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            # Closed connections of an earlier agent do not hold the port. Another program that listens does.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((str(key[0]), key[1]))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            self._failed(key, port, error)
            return
        if self._problems.pop(key, ""):
            log.info("port %s:%d/tcp is open now: %s", *key, port.purpose)
        self._listeners[key] = listener
        asyncio.get_running_loop().add_reader(listener, self._accept, key, group)

    def _close(self, key: Key) -> None:
        listener = self._listeners.pop(key)
        asyncio.get_running_loop().remove_reader(listener)
        listener.close()

    def _failed(self, key: Key, port: RelayPort, error: OSError) -> None:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        problem = f'can\'t open port "{port.purpose}" ({key[0]}:{key[1]}/tcp): {reason}'
        if self._problems.get(key) != problem:
            self._problems[key] = problem
            log.warning("%s", problem)
            self._on_problem(problem)

    def _accept(self, key: Key, group: asyncio.TaskGroup) -> None:
        """A connection waits. Takes one of them, so that busy ports do not keep the others waiting."""
        port = self._wanted.get(key)
        if port is None:
            return  # the listener is about to be closed
        try:
            client, _ = self._listeners[key].accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR, errno.ECONNABORTED):
                # Out of files or memory, the connection would go on waiting, and wake this loop without a pause.
                self._close(key)
                self._failed(key, port, error)
            return
        client.setblocking(False)
        if self._no_room(key):
            reset_on_close(client)
            client.close()
            return
        task = group.create_task(_carry(client, port), name=f"relayed connection to port {key[1]}")
        self._connections[task] = key
        task.add_done_callback(self._connections.pop)
        task.add_done_callback(lambda _: client.close())  # also if it was cancelled before it began

    def _no_room(self, key: Key) -> bool:
        of_port = sum(other == key for other in self._connections.values())
        full = len(self._connections) >= self._max_connections or of_port >= self._max_connections // 2
        if full and key not in self._full:
            text = "port %s:%d/tcp has %d of %d connections to ports of the loopback: more are reset"
            log.warning(text, *key, of_port, len(self._connections))
        (self._full.add if full else self._full.discard)(key)
        return full


async def _carry(client: socket.socket, port: RelayPort) -> None:
    try:
        await carry(client, (str(port.target.address), port.target.port))
    except Exception:  # the boundary of one connection
        log.exception("a connection of %s", port.purpose)
