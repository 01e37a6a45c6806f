"""The root of the agent's errors; each room defines its own branches.

AgentError
├── AgentFailed           agent/main.py: the agent cannot continue
├── IdentityError         agent/identity/errors.py: joining, and the identity on disk
├── SessionError          agent/session/errors.py: how a session with the master ends
├── WireError             agent/wire/errors.py: a message of the master is wrong
├── MasterAway            here: no session with the master, for whatever needs one
├── NetworkFault          agent/network.py: the kernel's network could not be read or changed
├── CannotConnect         agent/connections.py: a connection to a pod was not accepted, or is broken
├── RuntimeFault          agent/runtime/errors.py: a call to the engine failed, retryably or permanently
├── VolumeError           agent/volumes/errors.py: a volume cannot be prepared or cleaned
├── ContainerConfigError  agent/pods/errors.py: a container cannot be made from its spec
├── ImageMissing          agent/pods/errors.py: the image is missing and may not be pulled
├── PullSecretError       agent/pods/errors.py: a pull secret cannot be read, or has not come yet
├── LogUnavailable        agent/pods/errors.py: there is no such log
├── ProcessUnavailable    agent/pods/errors.py: there is no such container for a process
└── NoConnection          agent/pods/errors.py: the pod has no network
"""

from __future__ import annotations


class AgentError(Exception):
    """Root of all errors of this package."""


class MasterAway(AgentError):
    """There is no session with the master now."""
