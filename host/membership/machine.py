"""The host as joining and leaving see it, and what all of these commands share.

Owns that one of them at a time changes the host, that an agent which is stopped for a moment runs again when something
goes wrong meanwhile, and the error that people read. What is changed is the business of the others (membership*.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.config import AgentConfig
from agent.identity import files
from agent.identity.errors import StateLocked
from host.layout import HostLayout
from host.membership.errors import HostBusy
from host.membership.unit import AgentUnit
from host.preflight.finding import Finding
from host.preflight.gather import Subject, gather
from host.preflight.judges import judge
from host.system import exclusive
from hull.errors import Busy

POLL_S: Final = 0.2


def preflight(subject: Subject) -> list[Finding]:
    """Look and judge."""
    return judge(gather(subject))


@dataclass(frozen=True, slots=True)
class Host:
    """What joining and leaving need of the world; tests bring their own."""

    unit: AgentUnit
    say: Callable[[str], None]
    lock: Path = HostLayout().lock
    """Installing and upgrading take it too."""
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    findings: Callable[[Subject], list[Finding]] = preflight


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """What a person asked for."""

    config_path: Path
    wanted: dict[str, str]
    """Settings of agent.toml that were asked for; `master` is a URL, and always there."""
    token: str
    ca_hash: str
    ignored: Sequence[str] = ()
    timeout_s: float = 60.0
    ports: tuple[str, ...] = field(default=("4789/udp",))


@contextmanager
def changing(here: Host) -> Iterator[None]:
    """One command at a time: of two joins one would take back what the other has written. Raises HostBusy."""
    with ExitStack() as held:
        try:
            held.enter_context(exclusive(here.lock))
        except Busy as error:
            raise HostBusy(str(error)) from error
        yield


@contextmanager
def paused(here: Host) -> Iterator[None]:
    """The agent is stopped, and stays in the boot. Where this fails it goes on as before; else the caller starts it."""
    ran = here.unit.running()
    try:
        here.unit.pause()
        yield
    except BaseException:
        if ran:
            here.unit.resume()
        raise


@contextmanager
def alone(config: AgentConfig) -> Iterator[None]:
    """No agent works on the state directory meanwhile. Raises HostBusy when one does."""
    with ExitStack() as held:
        try:
            held.enter_context(files.locked(config.state_dir))
        except StateLocked as error:
            raise HostBusy(f"{error}; stop it, then run this again") from error
        yield
