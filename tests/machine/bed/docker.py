"""One engine's command line: Debian's `docker` on the engine's socket, nothing of the user's."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.environment import clean_environment
from lab.errors import LabError


@dataclass(frozen=True, slots=True)
class Docker:
    """`docker` on one socket."""

    socket: Path

    def argv(self, *arguments: str) -> list[str]:
        return ["docker", "-H", f"unix://{self.socket}", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return clean_environment(HOME="/nonexistent", DOCKER_CONFIG="/nonexistent")

    def run(
        self, *arguments: str, stdin: IO[bytes] | None = None, input: bytes | None = None, timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[bytes]:
        """Run to the end; the caller looks at the exit code. Raises LabError when it does not end in time."""
        source: dict[str, object] = {"input": input} if input is not None else {"stdin": stdin or subprocess.DEVNULL}
        try:
            return subprocess.run(  # type: ignore[call-overload,no-any-return]
                self.argv(*arguments),
                capture_output=True,
                check=False,
                timeout=timeout_s,
                env=self.environment,
                **source,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LabError(f"docker {' '.join(arguments[:4])}: {error}") from error

    def must(self, *arguments: str, stdin: IO[bytes] | None = None, timeout_s: float = 60.0) -> str:
        """Run, and give back what it printed. Raises LabError with its last words."""
        done = self.run(*arguments, stdin=stdin, timeout_s=timeout_s)
        if done.returncode != 0:
            raise LabError(f"docker {arguments[0]}: {_last_line(done.stderr, done.stdout)}")
        return done.stdout.decode(errors="replace").strip()


def _last_line(*outputs: bytes) -> str:
    """The last one that says what went wrong, not where help is."""
    lines: Sequence[str] = [line for text in outputs for line in text.decode(errors="replace").splitlines() if line]
    said = [line for line in lines if "--help" not in line]
    return said[-1] if said else "no word of it"
