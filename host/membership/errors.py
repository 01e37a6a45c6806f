"""What can go wrong when a host joins or leaves. Each message is one line and names the remedy.

MembershipError           anything below
├── MasterUnreachable     the master does not answer
└── HostBusy              another command changes this host, or an agent runs on its state directory
"""


class MembershipError(Exception):
    """Root of the package's errors."""


class MasterUnreachable(MembershipError):
    """The master did not answer."""


class HostBusy(MembershipError):
    """Another command changes this host, or an agent runs on the state directory."""
