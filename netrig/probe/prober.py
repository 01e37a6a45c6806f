"""A prober: sends probes from one namespace and returns their results, or fails a test with other expectations."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterable
from typing import Final

from netrig.errors import Unexpected
from netrig.probe.engine import Engine
from netrig.probe.held import Connection, Flow
from netrig.probe.model import Outcome, Probe, Result, Spread, spread_of
from netstack import namespaces

_AT_ONCE: Final = 256
_MOST_LINES: Final = 20
_PAUSE_S: Final = 0.02
_HELD_TIMEOUT_S: Final = 3.0


class Prober:
    """Sends probes from the namespace `where`: a name under /run/netns, a path, a pid, or None for the caller's own.

    It has no open descriptors between calls, so it need not be closed. Several threads may use it.
    """

    def __init__(self, where: str | int | None, *, name: str = "", at_once: int = _AT_ONCE) -> None:
        """`name`: for results and failures; `at_once`: the maximum number of probes in progress."""
        self._where = namespaces.of_pid(where) if isinstance(where, int) else where
        self._name = name or (str(where) if where is not None else "here")
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._at_once = max(1, min(at_once, soft // 4))

    def run(self, probes: Iterable[Probe]) -> list[Result]:
        """Run all probes in parallel; the results are in their order.

        Raises OSError if the kernel has no free sockets or ports, NamespaceMissing.
        """
        return namespaces.run_in(self._where, lambda: Engine(self._name, at_once=self._at_once).run(probes))

    def one(self, probe: Probe) -> Result:
        """Run one probe."""
        (result,) = self.run([probe])
        return result

    def expect(self, outcome: Outcome, *probes: Probe) -> list[Result]:
        """Run probes that must all have this outcome. Raises Unexpected, with a line for each other result."""
        results = self.run(probes)
        lines = [line for result in results if (line := result.unexpected(outcome))]
        if lines:
            more = [f"… and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
            raise Unexpected("\n".join([*lines[:_MOST_LINES], *more]))
        return results

    def eventually(self, outcome: Outcome, probe: Probe, *, within_s: float) -> Result:
        """Repeat the probe until it has this outcome. Raises Unexpected with the last result."""
        deadline = time.monotonic() + within_s
        while True:
            result = self.one(probe)
            if result.outcome is outcome:
                return result
            if time.monotonic() >= deadline:
                raise Unexpected(f"{result.unexpected(outcome)}, for {within_s:.1f} s")
            time.sleep(_PAUSE_S)

    def spread(self, probe: Probe, count: int) -> Spread:
        """Run the same probe `count` times; the distribution over servers."""
        return spread_of(self.run([probe] * count))

    def connect(self, address: str, port: int, *, timeout_s: float = _HELD_TIMEOUT_S) -> Connection:
        """A connection to a Responder that stays open until its block ends.

        `timeout_s` bounds connecting and each later call. Raises OSError as connect(2) does, TimeoutError.
        """

        def body() -> socket.socket:
            return socket.create_connection((str(address), port), timeout=timeout_s)

        return Connection(namespaces.run_in(self._where, body))

    def flow(self, address: str, port: int, *, timeout_s: float = _HELD_TIMEOUT_S) -> Flow:
        """A UDP flow to a Responder. Sends nothing yet."""

        def body() -> socket.socket:
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            opened.settimeout(timeout_s)
            opened.connect((str(address), port))
            return opened

        return Flow(namespaces.run_in(self._where, body))
