"""A real kubectl in one namespace, as the tests write it: `kubectl("get", "pods")`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Timer
from typing import Any

import yaml

import lab.kubectl


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One kubectl, its cluster, and the namespace that its commands are about."""

    plain: lab.kubectl.Kubectl
    namespace: str = "default"

    def inside(self, namespace: str) -> Kubectl:
        return replace(self, namespace=namespace)

    def __call__(self, *args: str, stdin: object = None) -> str:
        """What it printed; fails with what it said when it did not succeed. `stdin` is text, or objects for YAML."""
        return self.plain.run(*self._where(args), stdin=_text(stdin)).stdout

    def refused(self, *args: str, stdin: object = None) -> str:
        """What it said on its way to a failure."""
        result = self.tried(*args, stdin=stdin)
        assert result.returncode != 0, f"kubectl {' '.join(args)} succeeded: {result.stdout}"
        return result.stderr + result.stdout

    def tried(self, *args: str, stdin: object = None) -> subprocess.CompletedProcess[str]:
        """The finished command, whatever came of it."""
        return self.plain.run(*self._where(args), stdin=_text(stdin), check=False)

    def json(self, *args: str) -> Any:
        return json.loads(self(*args, "-o", "json"))

    def create(self, *objects: dict[str, Any]) -> str:
        return self("create", "--validate=false", "-f", "-", stdin=list(objects))

    @contextmanager
    def lines(self, *args: str, timeout_s: float = 60.0) -> Iterator[Iterator[str]]:
        """The lines of a command that goes on (-w, -f) as they come; it is ended with the block, or after a time."""
        process = self.plain.start(*self._where(args))
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

    def _where(self, args: tuple[str, ...]) -> tuple[str, ...]:
        return (f"--namespace={self.namespace}", *args)


def _text(stdin: object) -> str | None:
    if stdin is None or isinstance(stdin, str):
        return stdin
    return yaml.safe_dump_all(stdin if isinstance(stdin, list) else [stdin])
