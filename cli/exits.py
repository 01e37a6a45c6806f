"""Exit codes of the command, and which error means which."""

from typing import Final

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
"""Also argparse's own."""
NOT_FOUND: Final = 3
"""No such lab, host, process or object; nothing installed."""
UNREACHABLE: Final = 4
"""No answer from the API, or from a server that is not trusted."""
BUSY: Final = 5
"""Another command works on the same lab, or on this host's installation."""
REMOVED: Final = 6
"""The agent's own: its Node was deleted and this host is clean; join again."""
INTERRUPTED: Final = 130

HELP: Final = (
    "exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such lab, host or object, 4 the API does not answer or is not "
    "trusted, 5 another command works on the lab or on this host, 6 the node was deleted and this host is clean, "
    "130 interrupted"
)
