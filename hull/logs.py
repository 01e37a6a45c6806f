"""How a daemon writes its log: text or JSON lines on stderr, or entries in the systemd journal.

Owns the only log handler of the process.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

_TEXT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"


class _JsonLines(logging.Formatter):
    """One JSON object for each record."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(form: Literal["text", "json", "journal"], level: str, node: str = "") -> None:
    """Replace the process's log handlers by one. `journal` becomes `text` where no journald listens.

    `node`: the node's name, for the journal's entries.
    """
    handler: logging.Handler | None = None
    if form == "journal":
        from hull.journal import JournalHandler

        handler = JournalHandler.connected(node)
    if handler is None:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_JsonLines() if form == "json" else logging.Formatter(_TEXT, "%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    # gRPC logs much below WARNING, and crashes the interpreter when it logs during shutdown.
    logging.getLogger("grpc").setLevel(logging.WARNING)
