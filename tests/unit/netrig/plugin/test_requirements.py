"""Errors that mean a missing kernel feature are reasons to skip a test; other errors are not."""

from __future__ import annotations

from subprocess import CalledProcessError

import pytest

from netrig.errors import BadTopology, Unsupported
from netrig.plugin import requirements

ADD = ["ip", "link", "add", "x", "type", "y"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unsupported("no netem"), "no netem"),
        (
            CalledProcessError(1, ADD, stderr="Error: Unknown device type.\n"),
            "this kernel cannot do `ip link add x type y`: Error: Unknown device type.",
        ),
        (
            CalledProcessError(
                3, "iptables", stderr=b"x\nWarning: Extension z is not supported, missing kernel module?"
            ),
            "this kernel cannot do `iptables`: Warning: Extension z is not supported, missing kernel module?",
        ),
        (CalledProcessError(2, ADD, stderr="RTNETLINK answers: File exists"), ""),
        (CalledProcessError(2, ADD), ""),
        (BadTopology("a name twice"), ""),
    ],
    ids=["unsupported", "iproute2", "iptables-bytes", "exists", "no-output", "other"],
)
def test_only_a_missing_feature_is_a_reason_to_skip(error: Exception, reason: str) -> None:
    assert requirements.of_error(error) == reason
