"""What probes and hooks have shown about one instance of a container. Kept in the pod's files, so that an agent that is
restarted neither restarts a container nor changes its readiness.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

from agent.handlers import Checks


class Fault(StrEnum):
    """Why an instance has to be restarted."""

    STARTUP = "startup probe"
    LIVENESS = "liveness probe"
    POST_START = "postStart hook"


@dataclass(frozen=True, slots=True)
class Health:
    """The state of one instance. Without probes and hooks, a container that runs is healthy."""

    hooked: bool = True
    """Its postStart hook has ended, or it has none."""
    started: bool = True
    """Its startup probe has succeeded, or it has none."""
    ready: bool = True
    """By its readiness probe, if it has one."""
    fault: Fault | None = None
    """It is stopped for this, and restarted by its policy."""
    pre_stopped: bool = False
    """Its preStop hook has ended."""

    @property
    def up(self) -> bool:
        """It counts as started."""
        return self.hooked and self.started

    def encode(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str | bytes) -> Health:
        """Raises ValueError."""
        try:
            value = json.loads(text)
            flags = {name: bool(value[name]) for name in ("hooked", "started", "ready", "pre_stopped")}
            return cls(**flags, fault=Fault(value["fault"]) if value["fault"] else None)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the health of a container: {error}") from error


HEALTHY: Final = Health()


def fresh(checks: Checks) -> Health:
    """The health of an instance that has just started."""
    return Health(
        hooked=checks.post_start is None,
        started=checks.startup is None,
        ready=checks.readiness is None,
    )
