"""What can go wrong on a host. Each message is one line and names the remedy.

HostError             anything below
├── NotInstalled      there is nothing to upgrade or to uninstall
├── WrongUse          options that do not fit together, or not this host
└── ServiceFailed     a service does not start, or does not stay up
"""

from hull.errors import HullError


def one_line(error: BaseException) -> str:
    """Any error as part of a message."""
    if isinstance(error, HullError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"


class HostError(HullError):
    """Root of the package's errors."""


class NotInstalled(HostError):
    """Sampan is not installed here."""


class WrongUse(HostError):
    """The options do not fit together, or not this host."""


class ServiceFailed(HostError):
    """Everything is installed; the message has the service's last line in the journal."""
