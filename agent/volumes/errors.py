"""Errors of volumes.

VolumeError(AgentError)    retried with back-off; the text names the volume
"""

from __future__ import annotations

from agent.errors import AgentError


class VolumeError(AgentError):
    """The volume cannot be prepared or removed now."""
