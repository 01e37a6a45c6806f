"""Runs one program to its end: no standard input, a time-out, and its failure as one line.

Code that runs programs takes `run` as a parameter (`Run`), so that tests can replace it.
"""

import os
import subprocess
from collections.abc import Mapping
from typing import Final, Protocol

from hull.errors import ProgramFailed

TIMEOUT_S: Final = 120.0
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LONGEST_LINE: Final = 400
"""Characters of a program's last line that an error shows."""


class Run(Protocol):
    """Runs a program and returns its standard output. Raises HullError when it fails."""

    def __call__(self, *argv: str) -> str: ...


def run(*argv: str, environment: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S) -> str:
    """Run the program and return its standard output. `environment` is added to this process's.

    Raises ProgramFailed with the last line of its output when the exit status is not 0, when it does not end in time,
    and when there is no such program.
    """
    result = finished(*argv, environment=environment, timeout_s=timeout_s)
    if result.returncode != 0:
        raise ProgramFailed(f"{argv[0]} failed: {last_line(result.stderr, result.stdout)}")
    return result.stdout


def finished(
    *argv: str, environment: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    """Run the program; its exit status and output. Raises ProgramFailed as `run`, except for the exit status."""
    surroundings = {**os.environ, "PATH": _PATH, "LC_ALL": "C.UTF-8", **(environment or {})}
    # The packages that this process runs from (a checkout, a wheel) are not for other programs.
    surroundings.pop("PYTHONPATH", None)
    try:
        return subprocess.run(
            argv,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout_s,
            umask=0o022,
        )
    except FileNotFoundError as error:
        raise ProgramFailed(f"there is no {argv[0]} on this host") from error
    except OSError as error:
        raise ProgramFailed(f"{argv[0]} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ProgramFailed(f"{' '.join(argv)} did not end within {timeout_s:.0f} s") from error


def last_line(*outputs: str) -> str:
    """The last line of the first output that has any."""
    for text in outputs:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if lines:
            return lines[-1][:_LONGEST_LINE]
    return "it printed nothing"
