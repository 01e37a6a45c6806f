"""A host, router or switch of a topology, as tests use it: run programs, call functions and open sockets there.

Owns the processes that `start` made. Reads the kernel at each call. The topology itself changes links.
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
    """`where`: the name of the namespace; `path`: its file, which exists from `Topology.start` to `close`."""

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
        """Run a program in the node and wait for it. Raises CalledProcessError (if `check`), TimeoutExpired."""

        def body() -> subprocess.CompletedProcess[str]:
            return subprocess.run(argv, check=check, timeout=timeout_s, input=stdin, capture_output=True, text=True)

        self.has_run = True
        return self.call(body)

    def start(self, argv: Sequence[str], *, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a program in the node that runs until `Topology.close`. Without `log`, its output is discarded."""

        def body() -> subprocess.Popen[bytes]:
            with (log or Path(os.devnull)).open("ab") as output:
                return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

        self.has_run = True
        process = self.call(body)
        self._processes.append(process)
        return process

    def call(self, function: Callable[[], T]) -> T:
        """Call a function on a thread inside the namespace. Sockets that it opens remain in the namespace."""
        return namespaces.run_in(self.where, function)

    def open_socket(
        self, kind: int = socket.SOCK_STREAM, *, family: int = socket.AF_INET, protocol: int = 0
    ) -> socket.socket:
        """A socket of this node, which the caller must close."""
        return self.call(lambda: socket.socket(family, kind, protocol))

    def links(self) -> tuple[Link, ...]:
        """The network devices as the kernel has them."""
        with open_network(self.where) as network:
            return network.links()

    def addresses(self) -> tuple[Address, ...]:
        """The addresses of all links."""
        with open_network(self.where) as network:
            return network.addresses()

    def routes(self) -> tuple[Route, ...]:
        """All unicast routes of the main table."""
        with open_network(self.where) as network:
            return network.routes(protocol=0)

    def rules(self) -> str:
        """All packet filter rules with their counters, as text; empty without rules."""
        return rules_with_counters(self.where)

    def end_processes(self) -> None:
        """End the programs that `start` started: SIGTERM, and SIGKILL after two seconds."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
