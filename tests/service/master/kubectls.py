"""Unmodified kubectls, and a master on loopback for them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.kubectl import newer_kubectls
from lab.layout import CACHE_ROOT
from tests.service.master.process import running

_DEBIAN = CACHE_ROOT / "kubectl-1.20/usr/bin/kubectl"
_NEWER = sorted(newer_kubectls())
ALL = [*([_DEBIAN] if _DEBIAN.exists() else []), *_NEWER]
"""The oldest first."""
NEWEST = _NEWER[-1:]
# The oldest, which sends JSON, and the newest of this machine, which sends protobuf.
KUBECTLS = [*ALL[:1], *NEWEST]

Kubectl = Callable[..., str]


def name_of(binary: Path) -> str:
    """For the ids of tests."""
    return binary.name if binary != _DEBIAN else "debian"


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("kubectl")
    with running(directory):
        yield directory / "data" / "admin.kubeconfig"


@pytest.fixture(params=KUBECTLS, ids=name_of)
def kubectl(request: pytest.FixtureRequest, kubeconfig: Path, tmp_path: Path) -> Iterator[Kubectl]:
    """Runs a command that must succeed. Objects are removed at the end."""

    def run(*arguments: str, stdin: str = "", **environment: str) -> str:
        command = [str(request.param), f"--kubeconfig={kubeconfig}", *arguments]
        env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **environment}
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, env=env)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    yield run
    names = ("rc/web", "deployment/web", "node/n1", "configmap/m", "secret/s")
    run("delete", *names, "--ignore-not-found", "--wait=false")
