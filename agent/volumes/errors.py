"""What keeps a volume from being there.

VolumeError(AgentError)    retried with back-off; the text is for people, with the volume's name
"""

from __future__ import annotations

from agent.errors import AgentError


class VolumeError(AgentError):
    """The volume cannot be prepared as things are."""
