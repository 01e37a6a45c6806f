"""Errors of volumes.

VolumeError(AgentError)    retried with back-off; the text names the volume
"""

from __future__ import annotations

from typing import Final

from agent.errors import AgentError

_LONGEST_TEXT: Final = 1000


class VolumeError(AgentError):
    """The volume cannot be prepared or removed now."""


def complaint(output: bytes, exit_code: int | None) -> str:
    """Why a program failed: what it has printed, as one line, or else its exit code."""
    text = " ".join(output.decode(errors="replace").split())[:_LONGEST_TEXT]
    return text or f"exit code {exit_code}"
