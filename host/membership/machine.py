"""The host as joining and leaving see it, and the code that these commands share.

One command at a time changes the host. If a command fails, an agent that it has stopped runs again. The changes
themselves are in join.py, rejoin.py and leave.py.
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
    """What is wrong with this host for that."""
    return judge(gather(subject))


@dataclass(frozen=True, slots=True)
class Host:
    """What joining and leaving need of the host; tests bring their own."""

    unit: AgentUnit
    say: Callable[[str], None]
    lock: Path = HostLayout().lock
    """Installing and upgrading hold it too."""
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    findings: Callable[[Subject], list[Finding]] = preflight


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """The options of `sampan join`."""

    config_path: Path
    settings: dict[str, str]
    """For agent.toml; `master` is a URL, and always there."""
    token: str
    ca_hash: str
    ignored: Sequence[str] = ()
    timeout_s: float = 60.0
    ports: tuple[str, ...] = field(default=("4789/udp",))


@contextmanager
def changing(this_host: Host) -> Iterator[None]:
    """Hold the lock of the host: of two joins at once, one would undo what the other writes. Raises HostBusy."""
    with ExitStack() as held:
        try:
            held.enter_context(exclusive(this_host.lock))
        except Busy as error:
            raise HostBusy(str(error)) from error
        yield


@contextmanager
def paused(this_host: Host) -> Iterator[None]:
    """Stop the agent; it still starts at boot. After an error it runs again; otherwise the caller starts it."""
    ran = this_host.unit.running()
    try:
        this_host.unit.pause()
        yield
    except BaseException:
        if ran:
            this_host.unit.resume()
        raise


@contextmanager
def alone(config: AgentConfig) -> Iterator[None]:
    """Lock the state directory against an agent. Raises HostBusy when one runs on it."""
    with ExitStack() as held:
        try:
            held.enter_context(files.locked(config.state_dir))
        except StateLocked as error:
            raise HostBusy(f"{error}; stop it, then run this again") from error
        yield
