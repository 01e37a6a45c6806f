"""Unmodified kubectl as a client of a cluster: finds the binaries of this machine, and runs them.

Debian's kubectl is downloaded and unpacked into the cache, not installed; newer ones are used in place.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Timer
from typing import Any

import yaml

from lab.environment import clean_environment
from lab.images import packages
from lab.layout import CACHE_ROOT

_PACKAGE = "kubernetes-client"
_UNPACKED = CACHE_ROOT / "kubectl-1.20"
_GARBAGE_PERCENT = 400
"""kubectl's memory may grow to five times of what it uses. With Go's default of 100, collections take a quarter of the
processor time of a short command."""
_SIBLING = re.compile(r"kubectl\.1\.(\d+)")


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One kubectl binary with a cluster and a namespace for its commands: `kubectl("get", "pods")`.

    `home` holds its discovery cache. If a command fails that should succeed, its output is in the AssertionError.
    """

    binary: Path
    kubeconfig: Path
    home: Path
    namespace: str = "default"
    prefix: tuple[str, ...] = ()
    """A command that runs kubectl, such as `nsenter` for a cluster that only another network reaches."""

    def inside(self, namespace: str) -> "Kubectl":
        """The same kubectl for another Kubernetes namespace."""
        return replace(self, namespace=namespace)

    def __call__(self, *arguments: str, stdin: object = None) -> str:
        """Run a command that must succeed; its output. `stdin`: text, or objects that are written as YAML."""
        result = self.tried(*arguments, stdin=stdin)
        if result.returncode != 0:
            words = " ".join(arguments)
            raise AssertionError(f"kubectl {words}: exit code {result.returncode}\n{result.stderr}{result.stdout}")
        return result.stdout

    def refused(self, *arguments: str, stdin: object = None) -> str:
        """Run a command that must fail; its error output, then its output."""
        result = self.tried(*arguments, stdin=stdin)
        if result.returncode == 0:
            raise AssertionError(f"kubectl {' '.join(arguments)} succeeded: {result.stdout}")
        return result.stderr + result.stdout

    def tried(
        self, *arguments: str, stdin: object = None, timeout_s: float = 60.0
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command that may succeed or fail; the completed process."""
        return subprocess.run(
            self.command(*arguments),
            input=_text(stdin),
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        """The object or list that `-o json` prints."""
        return json.loads(self(*arguments, "-o", "json"))

    def create(self, *objects: dict[str, Any]) -> str:
        """Create objects without the client's own validation."""
        return self("create", "--validate=false", "-f", "-", stdin=list(objects))

    @contextmanager
    def lines(self, *arguments: str, timeout_s: float = 60.0) -> Iterator[Iterator[str]]:
        """The lines of a command that keeps running (-w, -f), as they come. It is killed at the block's end, or after
        `timeout_s`."""
        process = subprocess.Popen(
            self.command(*arguments),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        limit = Timer(timeout_s, process.kill)
        limit.start()
        try:
            assert process.stdout is not None
            with process.stdout as lines:
                yield iter(lines)
        finally:
            limit.cancel()
            process.kill()
            process.wait()

    def command(self, *arguments: str) -> list[str]:
        """The complete command line."""
        where = (f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}")
        return [*self.prefix, str(self.binary), *where, *arguments]

    def environment(self) -> dict[str, str]:
        """The environment variables of the command."""
        return clean_environment(HOME=str(self.home), GOGC=str(_GARBAGE_PERCENT))


def _text(stdin: object) -> str | None:
    if stdin is None or isinstance(stdin, str):
        return stdin
    return str(yaml.safe_dump_all(stdin if isinstance(stdin, list) else [stdin]))


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
    """Other binaries of this machine: `kubectl` on the PATH, and versions beside it named `kubectl.1.NN`; each once."""
    seen = set()
    for directory in os.environ.get("PATH", "").split(":"):
        for path in _kubectls_in(Path(directory)):
            target = path.resolve()
            if os.access(path, os.X_OK) and target not in seen:
                seen.add(target)
                yield path


def websocket_kubectls() -> list[Path]:
    """Those of the newer binaries that use websockets by themselves: from 1.31 on."""
    numbers = {path: _SIBLING.fullmatch(path.name) for path in newer_kubectls()}
    return [path for path, number in numbers.items() if number and int(number[1]) >= 31]


def _kubectls_in(directory: Path) -> Iterator[Path]:
    """Includes the siblings of the file that a link on the PATH leads to."""
    plain = directory / "kubectl"
    yield from [plain] if plain.exists() else []
    for parent in dict.fromkeys((directory, plain.resolve().parent)):
        if parent.is_dir():
            yield from sorted(path for path in parent.iterdir() if _SIBLING.fullmatch(path.name))
