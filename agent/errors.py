"""Errors of the agent.

AgentError
├── RuntimeFault          agent/runtime/errors.py: the engine; retryable or permanent is a type
├── VolumeError           agent/volumes/errors.py
├── ContainerConfigError  agent/pods/errors.py: a container cannot be made from its spec as it stands
└── LogUnavailable        agent/pods/errors.py
"""

from __future__ import annotations


class AgentError(Exception):
    """Root of all errors of this package."""
