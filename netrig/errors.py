"""The errors of topologies, probes and captures.

NetrigError          anything below
├── NotFound         no such interface
├── BadCapture       a file is not a pcap file that this package reads
├── BadTopology      a declaration cannot be built: a duplicate name, a gateway that no link reaches
├── Unsupported      this kernel lacks a feature (delay without netem); names it
└── Unexpected       a probe or a condition had another outcome than expected; an AssertionError too
"""


class NetrigError(Exception):
    """Root of the package's errors. The message is one line for the author of the test."""


class NotFound(NetrigError):
    """The interface does not exist."""


class BadCapture(NetrigError):
    """The file is not a capture that can be read."""


class BadTopology(NetrigError):
    """The declaration cannot be built; the message names the node or link."""


class Unsupported(NetrigError):
    """This kernel, or this machine, lacks a feature that is needed."""


class Unexpected(NetrigError, AssertionError):
    """An outcome differs from the expected one; the message has a line for each such probe."""
