"""What installing asks of the running system: commands, users, owners. The seam at which tests put a host of their own.

`Commands` runs programs for real. Nothing here knows what is installed.
"""

import os
import pwd
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol

from host.errors import HostError
from hull import lockfile

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TIMEOUT_S: Final = 1200.0
_MOST_OF_A_LINE: Final = 400


class System(Protocol):
    """The running system."""

    def run(self, *argv: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a program and give back what it printed. Raises HostError with its last words."""
        ...

    def succeeds(self, *argv: str) -> bool:
        """Whether a program ends with 0."""
        ...

    def has_user(self, name: str) -> bool: ...

    def own(self, path: Path, user: str) -> None:
        """Give a directory that is not his yet, and all that is in it, to a user and its group."""
        ...

    def is_root(self) -> bool: ...

    def sleep(self, seconds: float) -> None: ...


class Commands:
    """The real one."""

    def run(self, *argv: str, environment: Mapping[str, str] | None = None) -> str:
        done = self._call(argv, environment or {})
        if done.returncode != 0:
            raise HostError(f"{argv[0]} failed: {last_line(done.stderr, done.stdout)}")
        return done.stdout

    def succeeds(self, *argv: str) -> bool:
        return self._call(argv, {}).returncode == 0

    def has_user(self, name: str) -> bool:
        try:
            pwd.getpwnam(name)
        except KeyError:
            return False
        return True

    def own(self, path: Path, user: str) -> None:
        entry = pwd.getpwnam(user)
        if path.stat().st_uid != entry.pw_uid:
            # The directory last: from then on he may put a link to somebody's file into it.
            for each in (*path.rglob("*"), path):
                os.chown(each, entry.pw_uid, entry.pw_gid, follow_symlinks=False)

    def is_root(self) -> bool:
        return os.geteuid() == 0

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _call(self, argv: Sequence[str], more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": _PATH, "LC_ALL": "C.UTF-8", **more}
        # What runs us (a checkout's packages, a wheel) is not for the programs that we run.
        environment.pop("PYTHONPATH", None)
        try:
            return subprocess.run(
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_TIMEOUT_S,
                umask=0o022,
            )
        except FileNotFoundError as error:
            raise HostError(f"there is no {argv[0]} on this host") from error
        except subprocess.TimeoutExpired as error:
            raise HostError(f"{' '.join(argv)} did not end within {_TIMEOUT_S:.0f} s") from error


def last_line(*outputs: str) -> str:
    """What a program said last: the first of its outputs that says anything."""
    for text in outputs:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if lines:
            return lines[-1][:_MOST_OF_A_LINE]
    return "no word of it"


_BUSY: Final = (
    "another command changes this host (install, upgrade, uninstall, join, leave or reset): wait for its end, then run "
    "this again"
)


def exclusive(lock: Path) -> AbstractContextManager[None]:
    """One command at a time changes the host. Raises Busy, OSError."""
    return lockfile.exclusive(lock, busy=_BUSY)
