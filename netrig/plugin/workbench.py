"""A workbench has everything that one test, or one module, made: topologies, responders, captures.

It describes them when a test fails, and removes them at the end: responders and captures first, because they use the
namespaces of the topologies.
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
"""A node of a topology; or a namespace as a name, a path, a pid, or None for this process's own."""
Section = tuple[str, str]
"""Title and text of a part of a test's report."""

_REPORTED: Final = (HullError, NetrigError, NetstackError, OSError, SubprocessError)


@dataclass(slots=True)
class _Running:
    """A running capture; closing `stack` ends it."""

    title: str
    capture: Capture
    stack: ExitStack


class Workbench:
    """For one test or, if `shared`, for all tests of a module. `directory` returns the directory for captures."""

    def __init__(self, directory: Callable[[], Path], *, shared: bool = False) -> None:
        self._directory = directory
        self.shared = shared
        self._topologies: list[Topology] = []
        self._captures: list[_Running] = []
        self._responders = ExitStack()
        self._failed = False

    def topology(self) -> Topology:
        """A new, empty topology."""
        net = Topology()
        self._topologies.append(net)
        return net

    def made(self, net: Topology) -> bool:
        """Whether this workbench made the topology."""
        return any(net is own for own in self._topologies)

    def namespaces(self) -> frozenset[str]:
        """The names of the namespaces of its topologies."""
        return frozenset(node.where for net in self._topologies for node in net.nodes())

    def probe(self, where: Where, *, name: str = "") -> Prober:
        """A Prober; results show the node's name unless `name` is given."""
        return Prober(_place(where), name=name or _name(where))

    def responder(self, where: Where, port: int, *, name: str = "", address: str = "0.0.0.0") -> Responder:
        """A Responder that runs until the end."""
        new = Responder(_place(where), name=name or _name(where) or "here", port=port, address=address)
        return self._responders.enter_context(new)

    def capture(self, where: Where, interface: str, *, snap_bytes: int = 65_535) -> Capture:
        """A capture that runs until the end. Its file is kept if a test failed.

        Raises NotFound if the interface does not exist: the topology must be started before.
        """
        title = f"{_name(where) or 'here'}-{interface}"
        path = self._directory() / f"{title.replace('/', '_')}-{len(self._captures)}.pcap"
        with ExitStack() as stack:
            new = stack.enter_context(Capture(_place(where), interface, path=path, snap_bytes=snap_bytes))
            self._captures.append(_Running(title, new, stack.pop_all()))
        return new

    def fail(self) -> list[Section]:
        """Describe everything for a failed test, and keep the captures' files. Never raises.

        Captures end now; shared ones keep running for the next test.
        """
        self._failed = True
        kind = "module's " if self.shared else ""
        describe = _describe if self.shared else _end
        sections = [
            (f"{kind}capture {running.title}", text_or_error(partial(describe, running))) for running in self._captures
        ]
        for number, net in enumerate(self._topologies):
            title = f"{kind}topology" if len(self._topologies) == 1 else f"{kind}topology {number + 1}"
            sections.append((title, text_or_error(net.report)))
        return sections

    def close(self) -> None:
        """Remove everything. Raises LeftOver if a program outlived its topology; the program is killed."""
        with ExitStack() as stack:
            stack.callback(self._close_topologies)
            for running in self._captures:
                stack.callback(self._close_capture, running)
            stack.push(self._responders)

    def _close_capture(self, running: _Running) -> None:
        running.stack.close()
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
            raise LeftOver("processes outlived their topology (Node.start would have ended them): " + ", ".join(left))


def _place(where: Where) -> str | int | None:
    return where.where if isinstance(where, Node) else where


def _name(where: Where) -> str:
    return where.name if isinstance(where, Node) else "" if where is None else str(where)


def _end(running: _Running) -> str:
    running.stack.close()
    return _describe(running)


def _describe(running: _Running) -> str:
    return f"{running.capture.path}\n{running.capture.summary().text()}"


def text_or_error(describe: Callable[[], str]) -> str:
    """The result of `describe`, or the error that it raised."""
    try:
        return describe()
    except _REPORTED as error:
        return f"not available: {error}"
