"""What can go wrong in a lab.

LabError                 anything below
├── Unusable             the machine lacks something: not root, no engine, no free subnet
├── NotFound             no such lab, host or process
├── Busy                 another command works on the same lab
├── StartFailed          a process ended or was not ready in time; carries the end of its log
├── LeftOver             clean-up could not remove something; names it
├── ImageFailed          an image could not be built or pushed
├── BadTopology          a topology was declared that cannot be: a name twice, an address outside of every link
├── Unsupported          this kernel cannot do what was asked (delay without netem); says what is missing
├── Unexpected           a probe ended otherwise than it should; an AssertionError too
└── NotReady             objects of a cluster were not ready in time; an AssertionError too
"""


class LabError(Exception):
    """Root of the package's errors: the message is one clear line for whoever typed the command."""


class Unusable(LabError):
    """The machine cannot hold a lab as it is; the message says what to do."""


class NotFound(LabError):
    """No such lab, host or process."""


class Busy(LabError):
    """Another command holds the lab's lock."""


class StartFailed(LabError):
    """A process ended or did not become ready in time."""


class LeftOver(LabError):
    """Something of the lab could not be removed."""


class ImageFailed(LabError):
    """An image could not be built from the distribution's packages, or not be pushed."""


class BadTopology(LabError):
    """What was declared cannot be built; the message names the node or link."""


class Unsupported(LabError):
    """This kernel, or this machine, lacks what was asked for."""


class Unexpected(LabError, AssertionError):
    """Probes ended otherwise than expected; the message has a line for each."""


class NotReady(LabError, AssertionError):
    """Objects were not ready in time; the message says of each what it lacks."""
