"""A clock of its own for what runs on a host, which can be set: libfaketime, preloaded, reads it from a file.

Only the wall's time jumps; the clock that measures waits runs on, as it does where somebody sets a machine's clock.
"""

from pathlib import Path

from lab.errors import Unsupported
from lab.layout import HostPaths
from lab.state import write_atomically

_LIBRARIES = "usr/lib/*/faketime/libfaketimeMT.so.1"
"""Where Debian has it; the variant for programs with threads."""


def is_given(paths: HostPaths) -> bool:
    return _file(paths).exists()


def put(paths: HostPaths, ahead_s: float) -> None:
    """Let the clock be ahead of the machine's, or behind it; processes that read it see it at once.

    Those that were started before it was first put know nothing of it. Raises Unsupported.
    """
    _library()
    write_atomically(_file(paths), f"{ahead_s:+.3f}\n")


def environment(paths: HostPaths) -> dict[str, str]:
    """What a process needs to live by the clock; nothing where none was given."""
    if not is_given(paths):
        return {}
    return {
        "LD_PRELOAD": str(_library()),
        "FAKETIME_TIMESTAMP_FILE": str(_file(paths)),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def _library() -> Path:
    found = sorted(Path("/").glob(_LIBRARIES))
    if not found:
        raise Unsupported("a clock that can be set needs libfaketime (Debian: faketime)")
    return found[0]


def _file(paths: HostPaths) -> Path:
    return paths.etc / "clock"
