"""kubectl, unmodified, as a client of a lab's cluster: which ones this machine has, and how to run them.

Debian's own is downloaded and unpacked into the cache, not installed; newer ones are used where they lie.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.environment import clean_environment
from lab.images import packages
from lab.layout import CACHE_ROOT

_PACKAGE = "kubernetes-client"
_UNPACKED = CACHE_ROOT / "kubectl-1.20"
_SIBLING = re.compile(r"kubectl\.1\.\d+")


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One kubectl binary and the cluster that it speaks to. `home` holds its discovery cache."""

    binary: Path
    kubeconfig: Path
    home: Path

    def run(
        self, *arguments: str, stdin: str | None = None, timeout_s: float = 60.0, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end. With `check`, a failure is an AssertionError that shows what kubectl said."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"kubectl {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}{done.stdout}"
            )
        return done

    def out(self, *arguments: str, stdin: str | None = None) -> str:
        return self.run(*arguments, stdin=stdin).stdout

    def json(self, *arguments: str) -> Any:
        """The object or list that `-o json` prints."""
        return json.loads(self.out(*arguments, "-o", "json"))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start and return at once, output in a pipe; the caller ends it. For -w and -f."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def command(self, *arguments: str) -> list[str]:
        return [str(self.binary), f"--kubeconfig={self.kubeconfig}", *arguments]

    def environment(self) -> dict[str, str]:
        return clean_environment(HOME=str(self.home))


def debian_kubectl() -> Path:
    """Debian's kubectl (1.20), unpacked into the cache."""
    binary = _UNPACKED / "usr/bin/kubectl"
    if not binary.exists():
        archives = packages.download([_PACKAGE], CACHE_ROOT / "packages")
        _UNPACKED.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=_UNPACKED.parent))
        packages.unpack(archives, scratch)
        shutil.rmtree(_UNPACKED, ignore_errors=True)
        scratch.rename(_UNPACKED)
    return binary


def newer_kubectls() -> Iterator[Path]:
    """Others that this machine has: `kubectl` on the PATH, and the versions beside it as `kubectl.1.NN`; each once."""
    seen = set()
    for directory in os.environ.get("PATH", "").split(":"):
        for path in _kubectls_in(Path(directory)):
            target = path.resolve()
            if os.access(path, os.X_OK) and target not in seen:
                seen.add(target)
                yield path


def _kubectls_in(directory: Path) -> Iterator[Path]:
    """A link on the PATH may lead to where its siblings are."""
    plain = directory / "kubectl"
    yield from [plain] if plain.exists() else []
    for place in dict.fromkeys((directory, plain.resolve().parent)):
        if place.is_dir():
            yield from sorted(path for path in place.iterdir() if _SIBLING.fullmatch(path.name))
