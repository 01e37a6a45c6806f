"""The errors of netstack, one tree.

NetstackError
├── Retryable                 the same call may succeed later
│   ├── KernelBusy            the kernel was short of memory, buffers or a lock, or a dump was interrupted
│   └── RulesBusy             another program holds the iptables lock
└── Permanent                 the same call fails until something else is changed
    ├── NamespaceMissing      no network namespace has this name, path or pid
    │   └── HostNamespace     the name, path or pid leads to the host's own namespace, not to a pod's
    ├── NamespaceExists       the name is taken
    ├── KernelRefused         the kernel refused a change; `errno` has the reason
    │   ├── AlreadyThere      EEXIST: the link, address or route exists already
    │   └── NotThere          the link, address or route that the change names does not exist
    ├── RulesRefused          iptables-restore refused the rules
    ├── RulesUnavailable      this host has no iptables, or none that works with its kernel
    └── PoolExhausted         the pod CIDR has no free address left
"""

from __future__ import annotations

import errno as _errno
import os


class NetstackError(Exception):
    """Root of all errors that netstack raises deliberately."""


class Retryable(NetstackError):
    """The same call may succeed later."""


class Permanent(NetstackError):
    """The same call fails until something else is changed."""


class KernelBusy(Retryable):
    """The kernel was short of memory, buffers or a lock, or a dump was interrupted."""


class RulesBusy(Retryable):
    """Another program holds the iptables lock."""


class NamespaceMissing(Permanent):
    """No network namespace has this name, path or pid."""


class HostNamespace(NamespaceMissing):
    """The name, path or pid leads to the host's own namespace, where a pod's is needed."""


class NamespaceExists(Permanent):
    """A network namespace of this name exists already."""


class KernelRefused(Permanent):
    """The kernel refused a change. `errno` has the reason."""

    def __init__(self, errno: int, what: str) -> None:
        super().__init__(f"{what}: {os.strerror(errno)}")
        self.errno = errno


class AlreadyThere(KernelRefused):
    """The link, address or route exists already."""


class NotThere(KernelRefused):
    """The link, address or route that the change names does not exist."""


class RulesRefused(Permanent):
    """iptables-restore refused the rules."""


class RulesUnavailable(Permanent):
    """This host has no iptables that works."""


class PoolExhausted(Permanent):
    """All addresses of the pool are claimed."""


_BUSY = frozenset({_errno.EBUSY, _errno.EAGAIN, _errno.ENOBUFS, _errno.ENOMEM, _errno.EINTR})
_ABSENT = frozenset({_errno.ENOENT, _errno.ENODEV, _errno.ESRCH, _errno.EADDRNOTAVAIL, _errno.ENXIO})


def kernel_error(errno: int, what: str) -> NetstackError:
    """The error class for an errno in a netlink answer."""
    if errno in _BUSY:
        return KernelBusy(f"{what}: {os.strerror(errno)}")
    if errno == _errno.EEXIST:
        return AlreadyThere(errno, what)
    if errno in _ABSENT:
        return NotThere(errno, what)
    return KernelRefused(errno, what)
