"""A host, router or switch of a topology, for those who use it: run programs in it, call functions, open sockets.

Owns the processes that `start` made. Reads the kernel anew at each call; changes of links are the topology's.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from netrig.topology.model import Kind, NodeSpec
from netstack import namespaces
from netstack.network import open_network
from netstack.services.listing import rules_with_counters
from netstack.state import Address, Link, Route

T = TypeVar("T")

_END_S = 2.0


class Node:
    """`where` is its namespace's name, `path` the file; both are there from `Topology.start` to `close`."""

    def __init__(self, spec: NodeSpec) -> None:
        self.spec = spec
        self.has_run = False
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def kind(self) -> Kind:
        return self.spec.kind

    @property
    def where(self) -> str:
        return self.spec.where

    @property
    def path(self) -> Path:
        return Path(namespaces.path_of(self.where))

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name} in {self.where}>"

    def run(
        self, argv: Sequence[str], *, check: bool = True, timeout_s: float = 30.0, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a program here and wait. Raises CalledProcessError (when `check`), TimeoutExpired."""

        def body() -> subprocess.CompletedProcess[str]:
            return subprocess.run(argv, check=check, timeout=timeout_s, input=stdin, capture_output=True, text=True)

        self.has_run = True
        return self.call(body)

    def start(self, argv: Sequence[str], *, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a program here that goes on until `Topology.close`, its output in `log` (else nowhere)."""

        def body() -> subprocess.Popen[bytes]:
            with (log or Path(os.devnull)).open("ab") as output:
                return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

        self.has_run = True
        process = self.call(body)
        self._processes.append(process)
        return process

    def call(self, function: Callable[[], T]) -> T:
        """Call a function on a thread inside the namespace. A socket that it opens stays here for good."""
        return namespaces.run_in(self.where, function)

    def open_socket(
        self, kind: int = socket.SOCK_STREAM, *, family: int = socket.AF_INET, protocol: int = 0
    ) -> socket.socket:
        """A socket of this node; the caller closes it."""
        return self.call(lambda: socket.socket(family, kind, protocol))

    def links(self) -> tuple[Link, ...]:
        """The network devices as the kernel has them."""
        with open_network(self.where) as network:
            return network.links()

    def addresses(self) -> tuple[Address, ...]:
        with open_network(self.where) as network:
            return network.addresses()

    def routes(self) -> tuple[Route, ...]:
        """All unicast routes of the main table."""
        with open_network(self.where) as network:
            return network.routes(protocol=0)

    def rules(self) -> str:
        """All packet filter rules with their counters, as text; empty when there is none."""
        return rules_with_counters(self.where)

    def end_processes(self) -> None:
        """End what `start` made: SIGTERM, and SIGKILL for what does not go."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
