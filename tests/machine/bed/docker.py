"""Debian's `docker` command for the engine of a bed, without the user's environment and configuration."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.environment import clean_environment
from lab.errors import LabError


@dataclass(frozen=True, slots=True)
class Docker:
    """The `docker` command for one socket."""

    socket: Path

    def argv(self, *arguments: str) -> list[str]:
        """The complete command line."""
        return ["docker", "-H", f"unix://{self.socket}", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of the command."""
        return clean_environment(HOME="/nonexistent", DOCKER_CONFIG="/nonexistent")

    def run(
        self, *arguments: str, stdin: IO[bytes] | None = None, input: bytes | None = None, timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command; the caller checks its exit code. Raises LabError if it does not end in time."""
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
        """Run a command that must succeed; its output. Raises LabError with its last line."""
        result = self.run(*arguments, stdin=stdin, timeout_s=timeout_s)
        if result.returncode != 0:
            raise LabError(f"docker {arguments[0]}: {_last_line(result.stderr, result.stdout)}")
        return result.stdout.decode(errors="replace").strip()


def _last_line(*outputs: bytes) -> str:
    """The last line that is not a hint at --help."""
    lines: Sequence[str] = [line for text in outputs for line in text.decode(errors="replace").splitlines() if line]
    messages = [line for line in lines if "--help" not in line]
    return messages[-1] if messages else "no output"
