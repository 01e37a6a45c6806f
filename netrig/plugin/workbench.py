"""What one test, or one module, has made: topologies, responders, captures. Tells of them when a test failed, and takes
them away.

Owns their order at the end: responders and captures first, as they live in the topologies' namespaces.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import SubprocessError
from typing import Final

from hull.errors import HullError, LeftOver
from netrig.capture import Capture
from netrig.errors import NetrigError
from netrig.plugin import leaks
from netrig.probe import Prober, Responder
from netrig.topology import Node, Topology
from netstack.errors import NetstackError

Where = Node | str | int | None
"""A node of a topology; or a namespace's name, its path, a pid in it, None: this process's own."""
Section = tuple[str, str]

_TELLABLE: Final = (HullError, NetrigError, NetstackError, OSError, SubprocessError)


@dataclass(slots=True)
class _Running:
    """A capture of the test, and the stack that ends it."""

    title: str
    capture: Capture
    until: ExitStack


class Workbench:
    """One test's; or, `shared`, for all tests of a module. `directory` is asked for when a capture needs a place."""

    def __init__(self, directory: Callable[[], Path], *, shared: bool = False) -> None:
        self._directory = directory
        self.shared = shared
        self._topologies: list[Topology] = []
        self._captures: list[_Running] = []
        self._responders = ExitStack()
        self._failed = False

    def topology(self) -> Topology:
        made = Topology()
        self._topologies.append(made)
        return made

    def made(self, net: Topology) -> bool:
        """Whether this topology was made here."""
        return any(net is each for each in self._topologies)

    def namespaces(self) -> frozenset[str]:
        """The names of those that stand for the nodes of its topologies."""
        return frozenset(node.where for net in self._topologies for node in net.nodes())

    def probe(self, where: Where, *, name: str = "") -> Prober:
        """Stands in results under the node's name, unless another is given."""
        return Prober(_place(where), name=name or _name(where))

    def responder(self, where: Where, port: int, *, name: str = "", address: str = "0.0.0.0") -> Responder:
        """Answers until the test's end."""
        made = Responder(_place(where), name=name or _name(where) or "here", port=port, address=address)
        return self._responders.enter_context(made)

    def capture(self, where: Where, interface: str, *, snap_bytes: int = 65_535) -> Capture:
        """Runs until the test's end, and is kept, in the test's own directory, when it failed.

        Raises NotFound when there is no such interface (yet): the topology must be started.
        """
        title = f"{_name(where) or 'here'}-{interface}"
        path = self._directory() / f"{title.replace('/', '_')}-{len(self._captures)}.pcap"
        with ExitStack() as until:
            made = until.enter_context(Capture(_place(where), interface, path=path, snap_bytes=snap_bytes))
            self._captures.append(_Running(title, made, until.pop_all()))
        return made

    def fail(self) -> list[Section]:
        """A test failed: keep the captures, and tell everything while it is still there. Never raises.

        Captures end now, but for shared ones, which go on for the next test.
        """
        self._failed = True
        kind = "module's " if self.shared else ""
        tell = _tell if self.shared else _end
        sections = [(f"{kind}capture {running.title}", told(partial(tell, running))) for running in self._captures]
        for number, net in enumerate(self._topologies):
            title = f"{kind}topology" if len(self._topologies) == 1 else f"{kind}topology {number + 1}"
            sections.append((title, told(net.report)))
        return sections

    def close(self) -> None:
        """Take everything away. Raises LeftOver, and removes it, when a program of the test outlived its topology."""
        with ExitStack() as stack:
            stack.callback(self._close_topologies)
            for running in self._captures:
                stack.callback(self._close_capture, running)
            stack.push(self._responders)

    def _close_capture(self, running: _Running) -> None:
        running.until.close()
        if not self._failed and running.capture.path is not None:
            running.capture.path.unlink(missing_ok=True)

    def _close_topologies(self) -> None:
        members = leaks.members([node.path for net in self._topologies for node in net.nodes()])
        with ExitStack() as stack:
            for net in self._topologies:
                stack.callback(net.close)
        left = list(leaks.survivors(members))
        if left:
            leaks.end(members)
            raise LeftOver("processes outlived their topology (started other than by Node.run): " + ", ".join(left))


def _place(where: Where) -> str | int | None:
    return where.where if isinstance(where, Node) else where


def _name(where: Where) -> str:
    return where.name if isinstance(where, Node) else "" if where is None else str(where)


def _end(running: _Running) -> str:
    running.until.close()
    return _tell(running)


def _tell(running: _Running) -> str:
    return f"{running.capture.path}\n{running.capture.summary().text()}"


def told(tell: Callable[[], str]) -> str:
    """What it tells, or why it cannot."""
    try:
        return tell()
    except _TELLABLE as error:
        return f"cannot be told: {error}"
