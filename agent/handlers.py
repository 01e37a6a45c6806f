"""What the probes and hooks of a container do: plain frozen values, without protobuf.

Owns the forms only: agent/wire converts to them, agent/probes carries them out. A port of 0 means that no port of the
container has the name `port_name`. An empty host is the pod's address.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Runs a command in the container, without a shell. Exit code 0 is success."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HttpGet:
    """An HTTP request. The certificate of an https server is not verified."""

    port: int
    path: str = "/"
    host: str = ""
    https: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    port_name: str = ""


@dataclass(frozen=True, slots=True)
class TcpConnect:
    """Opens a TCP connection."""

    port: int
    host: str = ""
    port_name: str = ""


@dataclass(frozen=True, slots=True)
class GrpcCheck:
    """Calls the standard health service (grpc.health.v1)."""

    port: int
    service: str = ""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Waits."""

    seconds: int


@dataclass(frozen=True, slots=True)
class UnknownAction:
    """An action that only a newer master knows: the pod is refused."""


Handler = RunCommand | HttpGet | TcpConnect | GrpcCheck | Sleep | UnknownAction


class ProbeKind(StrEnum):
    """What a probe is for, as messages name it."""

    STARTUP = "startup"
    LIVENESS = "liveness"
    READINESS = "readiness"


@dataclass(frozen=True, slots=True)
class Probe:
    """A periodic check. The thresholds are numbers of results in a row that change the state."""

    handler: Handler
    initial_delay_s: int = 0
    period_s: int = 10
    timeout_s: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3
    grace_period_s: int | None = None
    """If the probe fails, the container is stopped within this time; None: within that of the pod."""


@dataclass(frozen=True, slots=True)
class Checks:
    """The probes of a container, its hooks, and its stop signal (empty: that of the image)."""

    startup: Probe | None = None
    liveness: Probe | None = None
    readiness: Probe | None = None
    post_start: Handler | None = None
    pre_stop: Handler | None = None
    stop_signal: str = ""

    def probe(self, kind: ProbeKind) -> Probe | None:
        """The probe of that kind."""
        match kind:
            case ProbeKind.STARTUP:
                return self.startup
            case ProbeKind.LIVENESS:
                return self.liveness
            case ProbeKind.READINESS:
                return self.readiness

    @property
    def handlers(self) -> tuple[tuple[str, Handler], ...]:
        """The handlers with the names of their fields in the API."""
        probes = {"livenessProbe": self.liveness, "readinessProbe": self.readiness, "startupProbe": self.startup}
        hooks = {"lifecycle.postStart": self.post_start, "lifecycle.preStop": self.pre_stop}
        return (
            *((name, probe.handler) for name, probe in probes.items() if probe is not None),
            *((name, hook) for name, hook in hooks.items() if hook is not None),
        )

    @property
    def any(self) -> bool:
        """Whether it has a probe or a hook: then the health of its instances is kept."""
        return bool(self.handlers)


NO_CHECKS = Checks()
