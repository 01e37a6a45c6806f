"""Captures the packets of an interface while a block runs, as a pcap file and as a short summary for failed tests.

with Capture(a.where, "eth0", path=tmp_path / "a.pcap") as capture:
    ...
print(capture.summary())
"""

from netrig.capture.capture import Capture
from netrig.capture.flows import Flow, Summary
from netrig.capture.pcap import read

__all__ = ["Capture", "Flow", "Summary", "read"]
