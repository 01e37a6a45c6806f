"""Exit codes of the command, and which error means which."""

from typing import Final

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
"""Also argparse's own."""
NOT_FOUND: Final = 3
"""No such lab, host, process, interface or token; nothing installed. `delete` fails with 1 for an object that does not
exist, as kubectl does."""
UNREACHABLE: Final = 4
"""The API does not answer, or its certificate is not trusted."""
BUSY: Final = 5
"""Another command is changing the same lab, or this host's installation."""
REMOVED: Final = 6
"""Of `sampan agent`: its Node was deleted and this host is clean; join again."""
INTERRUPTED: Final = 130


class WrongUse(Exception):
    """The arguments do not fit together; a single wrong one is argparse's error."""


HELP: Final = (
    "exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such lab, host or token, 4 the API does not answer or is not "
    "trusted, 5 another command is changing the lab or this host, 6 the node was deleted and this host is clean, "
    "130 interrupted"
)
