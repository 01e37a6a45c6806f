"""The result of one probe, its target, and the Protocol behind which probes are carried out.

Implementation: prober.py. Tests of the pods use a fake.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from agent.handlers import Handler
from agent.runtime.records import ContainerId

MAX_OUTPUT: Final = 1024
"""Characters of a result's output; the kubelet's events have as many."""


class ResultKind(Enum):
    """What the result of a probe counts as."""

    SUCCESS = auto()
    WARNING = auto()
    """A success that a person should look at."""
    FAILURE = auto()
    ERROR = auto()
    """The probe could not be carried out. As in the kubelet, it counts as neither success nor failure."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one probe, with a text for people."""

    kind: ResultKind
    output: str = ""

    @property
    def passed(self) -> bool:
        return self.kind in (ResultKind.SUCCESS, ResultKind.WARNING)

    @property
    def problem(self) -> str:
        """What went wrong; empty if nothing did."""
        return "" if self.passed else self.output


PASSED: Final = Result(ResultKind.SUCCESS)


def failure(output: str) -> Result:
    """The container did not answer as it should."""
    return Result(ResultKind.FAILURE, output[:MAX_OUTPUT])


def error(output: str) -> Result:
    """The probe could not be carried out."""
    return Result(ResultKind.ERROR, output[:MAX_OUTPUT])


@dataclass(frozen=True, slots=True)
class Target:
    """A running container, and the address of its pod."""

    container: ContainerId
    address: str


class Prober(Protocol):
    """Carries out probes and hooks. Calls do not raise."""

    async def probe(self, handler: Handler, target: Target, *, timeout_s: float) -> Result:
        """One probe, within its time-out."""
        ...

    async def hook(self, handler: Handler, target: Target, *, timeout_s: float) -> str:
        """A hook: what went wrong; empty if nothing did. An HTTP hook succeeds with any answer, as in the kubelet."""
        ...
