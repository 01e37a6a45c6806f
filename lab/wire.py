"""What is wrong with a host's cable, as a value: one-way and partial cuts, loss, bandwidth, MTU.

Part of the lab's record. wire_faults.py brings it to the kernel; a cable that is pulled is `HostState.cut`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lab.errors import LabError

USUAL_MTU: Final = 1500
_LEAST_MTU: Final = 576
"""RFC 791: what every host must take; below it no overlay fits in."""
_MOST_MTU: Final = 65535


class Way(StrEnum):
    """Which packets a partial cut swallows."""

    TO = "to"
    """All that others send to the host."""
    FROM = "from"
    """All that the host sends."""
    FROM_MASTER = "from-master"
    """Between the host and the master, both directions; other hosts are reached."""
    FROM_PEERS = "from-peers"
    """Between the host and the other nodes, both directions; the master is reached."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One host's cable. Loss is in percent of the packets of each direction; a rate of None is none."""

    cuts: frozenset[Way] = frozenset()
    loss_percent: float = 0.0
    rate_mbit: float | None = None
    mtu: int = USUAL_MTU

    def __post_init__(self) -> None:
        if not 0.0 <= self.loss_percent <= 100.0:
            raise LabError(f"loss of {self.loss_percent:g} % is not between 0 and 100")
        if self.rate_mbit is not None and not 0.0 < self.rate_mbit < 1_000_000:
            raise LabError(f"a rate of {self.rate_mbit:g} Mbit/s is not between 0 and 1,000,000")
        if not _LEAST_MTU <= self.mtu <= _MOST_MTU:
            raise LabError(f"an MTU of {self.mtu} bytes is not between {_LEAST_MTU} and {_MOST_MTU}")

    @property
    def filters(self) -> bool:
        """Whether packets are dropped by rules."""
        return bool(self.cuts) or self.loss_percent > 0

    def words(self) -> tuple[str, ...]:
        """What differs from a good cable, in words."""
        found = [f"cut {way}" for way in sorted(self.cuts)]
        found += [f"loss {self.loss_percent:g} %"] if self.loss_percent else []
        found += [f"rate {self.rate_mbit:g} Mbit/s"] if self.rate_mbit is not None else []
        found += [f"mtu {self.mtu}"] if self.mtu != USUAL_MTU else []
        return tuple(found)
