"""An informer of client-go sees all changes, and those after a restart of the master on the same address."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import pytest

from tests.clients.api import Api
from tests.clients.programs import need
from tests.service.master.process import running

PODS = "/api/v1/namespaces/default/pods"
POD: dict[str, Any] = {"metadata": {"name": "one"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
DEPLOYMENT: dict[str, Any] = {
    "metadata": {"name": "one"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]},
    },
}


class Informer:
    """The events that it printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: Queue[str] = Queue()
        Thread(target=self._read, args=(process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.put(line)

    def wait(self, *words: str, timeout_s: float = 40) -> list[str]:
        """Wait for the event that starts with these words; the lines before it."""
        before: list[str] = []
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            try:
                line = self._lines.get(timeout=1)
            except Empty:
                continue
            if line.split()[: len(words)] == list(words):
                return before
            before.append(line)
        raise AssertionError(f"no {words} but {before}")


@contextmanager
def informer(kubeconfig: Path, group: str, version: str, resource: str) -> Iterator[Informer]:
    command = [str(need("informer")), group, version, resource, "100"]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield Informer(process)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("group", "version", "path", "made"),
    [("", "v1", PODS, POD), ("apps", "v1", DEPLOYMENTS, DEPLOYMENT)],
    ids=["pods", "deployments"],
)
def test_changes_before_during_and_after_a_restart(
    tmp_path: Path, group: str, version: str, path: str, made: dict[str, Any]
) -> None:
    need("informer")
    kubeconfig = tmp_path / "data" / "admin.kubeconfig"
    resource = path.rpartition("/")[2]
    with ExitStack() as stack:
        with running(tmp_path) as master:
            api = Api(f"https://127.0.0.1:{master.port}", master.admin)
            api.post(path, {**made, "metadata": {"name": "earlier"}})
            seen = stack.enter_context(informer(kubeconfig, group, version, resource))
            seen.wait("synced")
            api.post(path, made)
            seen.wait("add", "default", "one")
            api.merge(f"{path}/one", {"metadata": {"labels": {"x": "y"}}})
            seen.wait("update", "default", "one")
        with running(tmp_path) as master:
            api = Api(f"https://127.0.0.1:{master.port}", master.admin)
            api.post(path, {**made, "metadata": {"name": "later"}})
            repeated = seen.wait("add", "default", "later")
            assert not any(line.split()[0] in ("add", "delete") for line in repeated), repeated
            api.delete(f"{path}/one")
            seen.wait("delete", "default", "one")
