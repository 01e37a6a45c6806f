"""What can go wrong in a lab, besides hull's errors (Busy, StartFailed, LeftOver) and netrig's (Unsupported).

LabError             anything below
├── Unusable         the machine lacks something: not root, no engine, no free subnet
├── NotFound         no such lab, host or process
├── ImageFailed      an image could not be built or pushed
└── NotReady         objects of a cluster were not ready in time; an AssertionError too
"""


class LabError(Exception):
    """Root of the package's errors: the message is one line for the person who typed the command."""


class Unusable(LabError):
    """The machine cannot hold a lab as it is; the message says what to do."""


class NotFound(LabError):
    """No such lab, host or process."""


class ImageFailed(LabError):
    """An image could not be built from the distribution's packages, or could not be pushed."""


class NotReady(LabError, AssertionError):
    """Objects were not ready in time; the message says what each of them lacks."""
