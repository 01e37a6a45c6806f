"""Addresses of endpoints: which of them packets can be sent to, and how tables show a list of them."""

from __future__ import annotations

import ipaddress

from master.schema.checks import Findings

_SHOWN = 3


def endpoint_address(at: str, text: str, findings: Findings) -> None:
    """Checks an address to which other hosts send packets.

    Loopback, link-local, multicast and unspecified addresses would direct the traffic to the sending node itself.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        findings.ip(at, text)
        return
    if address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast:
        findings.invalid(at, text, "may not be unspecified, loopback, link-local or multicast")


def shortened(addresses: list[str]) -> str:
    """The first addresses and the number of the others."""
    if not addresses:
        return "<none>"
    more = len(addresses) - _SHOWN
    return ",".join(addresses[:_SHOWN]) + (f" + {more} more..." if more > 0 else "")
