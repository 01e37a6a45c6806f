"""The faults of a host's cable as a value: one-way and partial cuts, loss, bandwidth, MTU.

Part of the lab's record. network/wire_faults.py applies it to the kernel. `HostState.cut` is an unplugged cable.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lab.errors import LabError

USUAL_MTU: Final = 1500
LEAST_MTU: Final = 576
"""RFC 791: the datagram size that every host must accept. The overlay needs at least this."""
MOST_MTU: Final = 65535


class Way(StrEnum):
    """Which packets a partial cut drops."""

    TO = "to"
    """All packets to the host."""
    FROM = "from"
    """All packets of the host."""
    FROM_MASTER = "from-master"
    """All packets between the host and the master, in both directions."""
    FROM_PEERS = "from-peers"
    """All packets between the host and the other nodes, in both directions."""


@dataclass(frozen=True, slots=True)
class Wire:
    """The cable of one host. Loss: percentage of packets in each direction. Rate: None means unlimited."""

    cuts: frozenset[Way] = frozenset()
    loss_percent: float = 0.0
    rate_mbit: float | None = None
    mtu: int = USUAL_MTU

    def __post_init__(self) -> None:
        if not 0.0 <= self.loss_percent <= 100.0:
            raise LabError(f"loss of {self.loss_percent:g} % is not between 0 and 100")
        if self.rate_mbit is not None and not 0.0 < self.rate_mbit < 1_000_000:
            raise LabError(f"a rate of {self.rate_mbit:g} Mbit/s is not between 0 and 1,000,000")
        if not LEAST_MTU <= self.mtu <= MOST_MTU:
            raise LabError(f"an MTU of {self.mtu} bytes is not between {LEAST_MTU} and {MOST_MTU}")

    @property
    def filters(self) -> bool:
        """Whether packet filter rules drop packets of this cable."""
        return bool(self.cuts) or self.loss_percent > 0

    def faults(self) -> tuple[str, ...]:
        """The faults, for people; empty for a good cable."""
        entries = [f"cut {way}" for way in sorted(self.cuts)]
        entries += [f"loss {self.loss_percent:g} %"] if self.loss_percent else []
        entries += [f"rate {self.rate_mbit:g} Mbit/s"] if self.rate_mbit is not None else []
        entries += [f"mtu {self.mtu}"] if self.mtu != USUAL_MTU else []
        return tuple(entries)
