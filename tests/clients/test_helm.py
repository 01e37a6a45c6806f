"""Helm 3 and 4 install, upgrade, roll back and remove a chart of our own, with pods as hooks."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.clients.api import Api
from tests.clients.programs import need

CHART: Final = Path(__file__).with_name("chart")
_NUMBERS: Final = itertools.count(1)


class Helm:
    """Runs one Helm in one namespace, which its first release makes."""

    def __init__(self, binary: Path, kubeconfig: Path, home: Path, namespace: str) -> None:
        self._command = [str(binary), f"--kubeconfig={kubeconfig}", f"--namespace={namespace}"]
        self._environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
        self.namespace = namespace

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [*self._command, *arguments], capture_output=True, text=True, timeout=100, env=self._environment
        )
        assert done.returncode == code, (arguments, done.stderr, done.stdout)
        return done.stdout + done.stderr if code else done.stdout

    def statuses(self) -> list[tuple[int, str]]:
        """(revision, status) of each revision of the release."""
        return [(entry["revision"], entry["status"]) for entry in json.loads(self("history", "site", "-o", "json"))]


@pytest.fixture(params=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest, kubeconfig: Path, tmp_path: Path) -> Helm:
    return Helm(need(request.param), kubeconfig, tmp_path, f"{request.param}-{next(_NUMBERS)}")


@pytest.fixture
def read(api: Api, helm: Helm) -> Iterator[Any]:
    """An object of the namespace by its path below it; its namespace is removed at the end."""
    yield lambda path, group="/api/v1": api.get(f"{group}/namespaces/{helm.namespace}/{path}")
    api.delete(f"/api/v1/namespaces/{helm.namespace}")


@pytest.mark.usefixtures("nodes")
def test_a_release_with_hooks(helm: Helm, read: Any) -> None:
    def deployment() -> Any:
        return read("deployments/site", "/apis/apps/v1")

    helm("install", "site", str(CHART), "--create-namespace", "--wait", "--timeout=60s")
    data = read("configmaps/site")["data"]
    assert data["color"] == "blue" and data["server"].startswith("v1.37.0")
    assert read("secrets/site")["data"] == {"password": "Ymx1ZS1zZWNyZXQ="}
    assert read("pods/site-before")["status"]["phase"] == "Succeeded"
    created = read("pods/site-before")["metadata"]["uid"]
    assert deployment()["status"]["availableReplicas"] == 1
    changes = ("--set", "color=red,replicas=2,image=nginx:2,service=false")
    helm("upgrade", "site", str(CHART), *changes, "--wait", "--timeout=60s")
    assert deployment()["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2"
    assert deployment()["metadata"]["labels"]["team"] == "red" and deployment()["status"]["availableReplicas"] == 2
    assert read("pods/site-before")["metadata"]["uid"] != created
    assert read("services")["items"] == []
    helm("rollback", "site", "1", "--wait", "--timeout=60s")
    assert deployment()["spec"]["replicas"] == 1 and len(read("services")["items"]) == 1
    assert helm.statuses() == [(1, "superseded"), (2, "superseded"), (3, "deployed")]
    assert "STATUS: deployed" in helm("status", "site")
    assert "color: red" in helm("get", "values", "site", "--revision=2")
    assert [release["name"] for release in json.loads(helm("list", "-o", "json"))] == ["site"]
    helm("uninstall", "site", "--wait", "--timeout=60s")
    assert read("deployments", "/apis/apps/v1")["items"] == [] and read("services")["items"] == []
    assert helm("list", "-q") == ""


@pytest.mark.usefixtures("read")
def test_a_release_without_hooks_and_its_mistakes(helm: Helm) -> None:
    helm("install", "site", str(CHART), "--create-namespace", "--no-hooks")
    assert "in use" in helm("install", "site", str(CHART), "--no-hooks", code=1)
    assert "spec.replicas" in helm("upgrade", "site", str(CHART), "--no-hooks", "--set", "replicas=-1", code=1)
    assert helm.statuses() == [(1, "deployed"), (2, "failed")]
    helm("upgrade", "--install", "site", str(CHART), "--no-hooks", "--dry-run=server", "--set", "color=red")
    helm("upgrade", "--install", "site", str(CHART), "--no-hooks", "--set", "color=red")
    helm("uninstall", "site", "--no-hooks", "--keep-history")
    assert helm.statuses()[-1][1] == "uninstalled"
