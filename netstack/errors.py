"""The errors of netstack, one tree.

NetstackError
├── Retryable                 worth another try with nothing changed
│   ├── KernelBusy            the kernel had no memory, buffer or lock to give, or a dump was interrupted
│   └── RulesBusy             another program holds the iptables lock
└── Permanent                 the same call fails again until somebody changes something
    ├── NamespaceMissing      no network namespace by that name, path or pid
    ├── NamespaceExists       the name is taken
    ├── KernelRefused         the kernel said no to a change; has `errno`
    │   ├── AlreadyThere      EEXIST: a link of that name, an address, a route
    │   └── NotThere          the link, address or route that the change names does not exist
    ├── RulesRefused          iptables-restore did not take the rules
    ├── RulesUnavailable      no iptables on this host, or none that works on this kernel
    └── PoolExhausted         no free address is left in the pod CIDR
"""

from __future__ import annotations

import errno as _errno
import os


class NetstackError(Exception):
    """Root of all errors that netstack raises on purpose."""


class Retryable(NetstackError):
    """Another try may succeed without any change."""


class Permanent(NetstackError):
    """Another try fails as long as nothing is changed."""


class KernelBusy(Retryable):
    """The kernel could not answer just now."""


class RulesBusy(Retryable):
    """Another program holds the iptables lock."""


class NamespaceMissing(Permanent):
    """There is no such network namespace."""


class NamespaceExists(Permanent):
    """A network namespace of that name exists."""


class KernelRefused(Permanent):
    """The kernel refused a change. `errno` is its reason."""

    def __init__(self, errno: int, what: str) -> None:
        super().__init__(f"{what}: {os.strerror(errno)}")
        self.errno = errno


class AlreadyThere(KernelRefused):
    """What was to be made exists."""


class NotThere(KernelRefused):
    """What the change speaks of does not exist."""


class RulesRefused(Permanent):
    """iptables-restore refused the rules."""


class RulesUnavailable(Permanent):
    """No usable iptables on this host."""


class PoolExhausted(Permanent):
    """All addresses of the pool are claimed."""


_BUSY = frozenset({_errno.EBUSY, _errno.EAGAIN, _errno.ENOBUFS, _errno.ENOMEM, _errno.EINTR})
_ABSENT = frozenset({_errno.ENOENT, _errno.ENODEV, _errno.ESRCH, _errno.EADDRNOTAVAIL, _errno.ENXIO})


def kernel_error(errno: int, what: str) -> NetstackError:
    """The error of the tree for an errno that netlink answered with."""
    if errno in _BUSY:
        return KernelBusy(f"{what}: {os.strerror(errno)}")
    if errno == _errno.EEXIST:
        return AlreadyThere(errno, what)
    if errno in _ABSENT:
        return NotThere(errno, what)
    return KernelRefused(errno, what)
