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
_SIBLING = re.compile(r"kubectl\.1\.\d+")


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One kubectl binary, its cluster, and the namespace that its commands are about: `kubectl("get", "pods")`.

    `home` holds its discovery cache. A failure of a command that should succeed is an AssertionError with its words.
    """

    binary: Path
    kubeconfig: Path
    home: Path
    namespace: str = "default"
    prefix: tuple[str, ...] = ()
    """What runs it, as `nsenter` where the cluster is reached from another network only."""

    def inside(self, namespace: str) -> "Kubectl":
        return replace(self, namespace=namespace)

    def __call__(self, *arguments: str, stdin: object = None) -> str:
        """What it printed; fails with what it said when it did not succeed. `stdin` is text, or objects for YAML."""
        done = self.tried(*arguments, stdin=stdin)
        if done.returncode != 0:
            words = " ".join(arguments)
            raise AssertionError(f"kubectl {words}: exit code {done.returncode}\n{done.stderr}{done.stdout}")
        return done.stdout

    def refused(self, *arguments: str, stdin: object = None) -> str:
        """What it said on its way to a failure."""
        done = self.tried(*arguments, stdin=stdin)
        if done.returncode == 0:
            raise AssertionError(f"kubectl {' '.join(arguments)} succeeded: {done.stdout}")
        return done.stderr + done.stdout

    def tried(
        self, *arguments: str, stdin: object = None, timeout_s: float = 60.0
    ) -> "subprocess.CompletedProcess[str]":
        """The finished command, whatever came of it."""
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
        return self("create", "--validate=false", "-f", "-", stdin=list(objects))

    @contextmanager
    def lines(self, *arguments: str, timeout_s: float = 60.0) -> Iterator[Iterator[str]]:
        """The lines of a command that goes on (-w, -f) as they come; it is ended with the block, or after a time."""
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
        where = (f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}")
        return [*self.prefix, str(self.binary), *where, *arguments]

    def environment(self) -> dict[str, str]:
        return clean_environment(HOME=str(self.home))


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
