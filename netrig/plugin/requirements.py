"""Missing requirements of a test, as the reason for skipping it; empty if nothing is missing."""

from __future__ import annotations

import os
from subprocess import CalledProcessError
from typing import Final

from hull.errors import HullError
from netrig.errors import NetrigError, Unsupported
from netrig.topology import Topology
from netstack.errors import NetstackError

_MISSING: Final = ("unknown device type", "missing kernel module", "table does not exist")
"""Messages of iproute2 and iptables that occur only if the kernel was built without a feature."""


def of_machine() -> str:
    """Why this machine cannot run topologies. Makes one to find out: even root may lack the rights in a container."""
    if os.geteuid() != 0:
        return "needs root: makes network namespaces"
    try:
        with Topology() as net:
            net.link(net.host("a"), net.host("b"), address="10.0.0.1/30", peer_address="10.0.0.2/30")
            net.start()
    except (HullError, NetrigError, NetstackError, OSError) as error:
        return f"this machine refuses network namespaces or links: {error}"
    return ""


def of_error(error: BaseException) -> str:
    """The missing kernel feature that caused this error; empty for other errors."""
    if isinstance(error, Unsupported):
        return str(error)
    if isinstance(error, CalledProcessError):
        words = error.cmd if isinstance(error.cmd, str) else " ".join(map(str, error.cmd))
        for line in _lines(error.stderr):
            if any(phrase in line.lower() for phrase in _MISSING):
                return f"this kernel cannot do `{words}`: {line.strip()}"
    return ""


def _lines(output: str | bytes | None) -> list[str]:
    text = output.decode(errors="replace") if isinstance(output, bytes) else output or ""
    return text.splitlines()
