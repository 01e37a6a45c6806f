"""The errors of a lab. It also raises hull's (Busy, StartFailed, LeftOver) and netrig's (Unsupported).

LabError             anything below
├── Unusable         the machine lacks something: not root, no engine, no free subnet
├── NotFound         no such lab, host or process
├── ImageFailed      an image could not be built or pushed
└── NotReady         objects of a cluster were not ready in time; an AssertionError too
"""


class LabError(Exception):
    """Root of the package's errors. The message is one line for the person who typed the command."""


class Unusable(LabError):
    """The machine lacks something that a lab needs; the message says what to do."""


class NotFound(LabError):
    """The lab, host or process does not exist."""


class ImageFailed(LabError):
    """An image could not be built from the distribution's packages, or could not be pushed."""


class NotReady(LabError, AssertionError):
    """Objects were not ready in time; the message names them and says why."""
