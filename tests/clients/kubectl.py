"""Runs one kubectl in one namespace."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kubectl:
    binary: Path
    kubeconfig: Path
    home: Path
    namespace: str

    def __call__(self, *arguments: str, stdin: str = "", code: int = 0, **environment: str) -> str:
        """The output of a command that must end with this exit code; of one that fails, its error output as well."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            env={**self.environment, **environment},
        )
        assert done.returncode == code, (arguments, done.returncode, done.stderr, done.stdout)
        return done.stdout if code == 0 else done.stdout + done.stderr

    def json(self, *arguments: str) -> Any:
        return json.loads(self("get", *arguments, "-o", "json"))

    def command(self, *arguments: str) -> list[str]:
        return [str(self.binary), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}

    @cached_property
    def minor(self) -> int:
        """20 for version 1.20."""
        return int(json.loads(self("version", "--client", "-o", "json"))["clientVersion"]["minor"].rstrip("+"))
