"""What can go wrong with a topology, a probe or a capture.

NetrigError          anything below
├── NotFound         no such interface
├── BadCapture       a file is not a pcap file that this package reads
├── BadTopology      a declaration cannot be built: a name twice, an address outside of every link
├── Unsupported      this kernel cannot do what was asked (delay without netem); names what is missing
└── Unexpected       a probe ended otherwise than it should; an AssertionError too
"""


class NetrigError(Exception):
    """Root of the package's errors: the message is one line for the author of the test."""


class NotFound(NetrigError):
    """There is no such interface."""


class BadCapture(NetrigError):
    """The file is not a capture that can be read."""


class BadTopology(NetrigError):
    """The declaration cannot be built; the message names the node or link."""


class Unsupported(NetrigError):
    """This kernel, or this machine, lacks what was asked for."""


class Unexpected(NetrigError, AssertionError):
    """Probes ended otherwise than expected; the message has a line for each of them."""
