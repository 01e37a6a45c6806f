"""What can go wrong between a process and its Linux host.

HullError              anything below
├── Busy               another process holds the lock
├── StartFailed        a process ended, or was not ready in time; carries the end of its log
├── ProgramFailed      a program ended with an error, did not end in time, or does not exist
├── LeftOver           clean-up could not remove something; names it
└── SettingsError      a settings file cannot be used; names the file, the setting and what is expected
"""


class HullError(Exception):
    """Root of the package's errors: the message is one line for the person who typed the command."""


class Busy(HullError):
    """Another process holds the lock."""


class StartFailed(HullError):
    """A process ended or did not become ready in time."""


class ProgramFailed(HullError):
    """A program ended with an error, did not end in time, or does not exist."""


class LeftOver(HullError):
    """Something could not be removed."""


class SettingsError(HullError):
    """The settings file cannot be used; the message names the file, the setting and what is expected."""
