"""What crosses an interface while a block runs: a pcap, and a short summary for the text of a failed test.

with Capture(a.where, "eth0", path=tmp_path / "a.pcap") as capture:
    ...
print(capture.summary())
"""

from netrig.capture.capture import Capture
from netrig.capture.flows import Flow, Summary
from netrig.capture.pcap import read

__all__ = ["Capture", "Flow", "Summary", "read"]
