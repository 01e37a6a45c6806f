"""Log records as entries of journald, by its native protocol (systemd's JOURNAL_NATIVE_PROTOCOL): fields, not a line.

`journalctl SAMPAN_OBJECT=pod/default/web` finds what was said of a pod, SAMPAN_NODE=node1 of a node. The fields are
read off the message, which names its object first, as all of ours do.
"""

import logging
import re
import socket
import sys
from pathlib import Path
from typing import Final, Self

SOCKET: Final = Path("/run/systemd/journal/socket")
_PRIORITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_MOST_BYTES: Final = 100_000
"""A datagram's limit is the socket's buffer; longer fields end here."""
_OBJECT: Final = re.compile(
    r"(?P<kind>pod|service|node|namespace|event|endpoints|volume) "
    r"(?P<name>[a-z0-9][-a-z0-9.]*(?:/[a-z0-9][-a-z0-9.]*)?)(?=[:,\s]|$)"
)


class JournalHandler(logging.Handler):
    """Sends each record to journald. An entry that it does not take goes to stderr, which is its stream too."""

    def __init__(self, to: socket.socket, node: str = "") -> None:
        super().__init__()
        # Or logging gives it one that puts level and logger before the message; they are fields here.
        self.setFormatter(logging.Formatter("%(message)s"))
        self._to = to
        self._node = node

    @classmethod
    def connected(cls, node: str = "", path: Path | None = None) -> Self | None:
        """None where no journald listens. `node`: this host's own name, for entries that name none."""
        to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            to.connect(str(path or SOCKET))
        except OSError:
            to.close()
            return None
        return cls(to, node)

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        try:
            self._to.send(b"".join(encoded(name, value) for name, value in fields(record, text, self._node).items()))
        except OSError:
            sys.stderr.write(f"{record.levelname} {record.name}: {text}\n")

    def close(self) -> None:
        self._to.close()
        super().close()


def fields(record: logging.LogRecord, text: str, node: str = "") -> dict[str, str]:
    """What an entry says besides what journald adds itself (unit, pid, user, time)."""
    priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
    known = {"MESSAGE": text, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": "sampan", "LOGGER": record.name}
    if found := _OBJECT.match(text):
        known["SAMPAN_OBJECT"] = f"{found['kind']}/{found['name']}"
        node = found["name"] if found["kind"] == "node" else node
    return {**known, "SAMPAN_NODE": node} if node else known


def encoded(name: str, value: str) -> bytes:
    """NAME=value and a newline; a value of several lines has its length before it instead."""
    content = value.encode(errors="replace")[:_MOST_BYTES]
    if b"\n" not in content:
        return b"%s=%s\n" % (name.encode(), content)
    return b"%s\n%s%s\n" % (name.encode(), len(content).to_bytes(8, "little"), content)
