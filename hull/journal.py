"""Log records as journald entries with fields, in its native protocol (systemd's JOURNAL_NATIVE_PROTOCOL).

`journalctl SAMPAN_OBJECT=pod/default/web` finds the entries about a pod, SAMPAN_NODE=node1 those about a node. Both
fields are taken from the message, which begins with the object that it is about, as all messages of ours do.
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
"""Longer fields are cut: a datagram must fit into the socket's buffer."""
_OBJECT: Final = re.compile(
    r"(?P<kind>pod|service|node|namespace|event|endpoints|volume) "
    r"(?P<name>[a-z0-9][-a-z0-9.]*(?:/[a-z0-9][-a-z0-9.]*)?)(?=[:,\s]|$)"
)


class JournalHandler(logging.Handler):
    """Sends each record to journald. An entry that journald refuses goes to stderr, which it collects too."""

    def __init__(self, journald: socket.socket, node: str = "") -> None:
        super().__init__()
        # The default formatter puts level and logger before the message; here they are fields.
        self.setFormatter(logging.Formatter("%(message)s"))
        self._journald = journald
        self._node = node

    @classmethod
    def connected(cls, node: str = "", path: Path | None = None) -> Self | None:
        """A handler, or None if no journald listens. `node`: the node name of entries that name no node."""
        journald = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            journald.connect(str(path or SOCKET))
        except OSError:
            journald.close()
            return None
        return cls(journald, node)

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        try:
            entry = fields(record, text, self._node)
            self._journald.send(b"".join(encoded(name, value) for name, value in entry.items()))
        except OSError:
            sys.stderr.write(f"{record.levelname} {record.name}: {text}\n")

    def close(self) -> None:
        self._journald.close()
        super().close()


def fields(record: logging.LogRecord, text: str, node: str = "") -> dict[str, str]:
    """The fields of an entry, except those that journald adds itself (unit, pid, user, time)."""
    priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
    entry = {"MESSAGE": text, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": "sampan", "LOGGER": record.name}
    if match := _OBJECT.match(text):
        entry["SAMPAN_OBJECT"] = f"{match['kind']}/{match['name']}"
        node = match["name"] if match["kind"] == "node" else node
    return {**entry, "SAMPAN_NODE": node} if node else entry


def encoded(name: str, value: str) -> bytes:
    """A field as the protocol has it: `NAME=value\\n`, or name, length and value if the value has several lines."""
    content = value.encode(errors="replace")[:_MOST_BYTES]
    if b"\n" not in content:
        return b"%s=%s\n" % (name.encode(), content)
    return b"%s\n%s%s\n" % (name.encode(), len(content).to_bytes(8, "little"), content)
