"""The parts of the running system that installing uses: programs, users, owners. Tests replace `System` by a fake.

`Commands` is the real system. This module does not know what is installed.
"""

import os
import pwd
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol

from host.errors import HostError
from hull import lockfile, programs
from hull.errors import ProgramFailed

_TIMEOUT_S: Final = 1200.0
"""Wheels are downloaded within this time, and a service on a slow host starts."""


class System(Protocol):
    """The running system."""

    def run(self, *argv: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a program and return its standard output. Raises HostError with the last line of its output."""
        ...

    def succeeds(self, *argv: str) -> bool:
        """Whether the program's exit status is 0. Raises HostError when there is no such program."""
        ...

    def has_user(self, name: str) -> bool: ...

    def own(self, path: Path, user: str) -> None:
        """Give a directory and everything in it to a user and the user's group, unless the user owns it already."""
        ...

    def is_root(self) -> bool: ...

    def sleep(self, seconds: float) -> None: ...


class Commands:
    """The real system."""

    def run(self, *argv: str, environment: Mapping[str, str] | None = None) -> str:
        try:
            return programs.run(*argv, environment=environment, timeout_s=_TIMEOUT_S)
        except ProgramFailed as error:
            raise HostError(str(error)) from error

    def succeeds(self, *argv: str) -> bool:
        try:
            return programs.finished(*argv, timeout_s=_TIMEOUT_S).returncode == 0
        except ProgramFailed as error:
            raise HostError(str(error)) from error

    def has_user(self, name: str) -> bool:
        try:
            pwd.getpwnam(name)
        except KeyError:
            return False
        return True

    def own(self, path: Path, user: str) -> None:
        entry = pwd.getpwnam(user)
        if path.stat().st_uid != entry.pw_uid:
            # The directory last: its owner could put a link to a foreign file into it.
            for entry_path in (*path.rglob("*"), path):
                os.chown(entry_path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)

    def is_root(self) -> bool:
        return os.geteuid() == 0

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


_BUSY: Final = (
    "another command changes this host (install, upgrade, uninstall, join, leave or reset): wait until it has ended, "
    "then run this again"
)


def exclusive(lock: Path) -> AbstractContextManager[None]:
    """Hold the lock of the commands that change a host. Raises Busy when another one holds it, OSError."""
    return lockfile.exclusive(lock, busy=_BUSY)
