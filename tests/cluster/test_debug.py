"""`kubectl debug`: containers that are added to running pods."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.cluster import Cluster
from lab.kubectl import Kubectl, websocket_kubectls
from netrig.plugin import eventually
from tests.cluster.manifests import pod, shell

pytestmark = pytest.mark.cluster

IMAGE = ("--image=tomcat", "--image-pull-policy=IfNotPresent")


@pytest.fixture(params=websocket_kubectls()[-1:], ids=lambda path: path.name)
def newer(request: pytest.FixtureRequest, cluster: Cluster, namespace: str, tmp_path: Path) -> Kubectl:
    """The newest kubectl of this machine."""
    return Kubectl(request.param, cluster.kubeconfig, tmp_path, namespace)


@pytest.fixture
def web(apply: Callable[..., object], wait_ready: Callable[..., None]) -> Iterator[str]:
    """A running pod with a volume."""
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    container = {**shell("echo kept > /shared/file; exec sleep 12345"), **mount}
    apply(pod("web", container=container, volumes=[{"name": "shared", "emptyDir": {}}]))
    wait_ready("pod/web")
    yield "web"


def test_a_terminal_in_a_new_container_sees_the_processes_of_its_target(newer: Kubectl, web: str) -> None:
    words = newer.command("debug", "-it", web, *IMAGE, "--target=main", "--container=look", "--", "/bin/sh")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        words, env=newer.environment(), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as client:
        os.close(theirs)
        os.write(ours, b"tr '\\0' ' ' < /proc/1/cmdline; cat /proc/1/root/shared/file; hostname; exit 3\n")
        output = b""
        try:
            while piece := os.read(ours, 4096):
                output += piece
        except OSError:
            pass  # the terminal is closed at the end
        finally:
            client.kill()
    os.close(ours)
    lines = output.decode().replace("\r", "").split("\n")
    assert any("sleep 12345 kept" in line for line in lines), lines
    assert "web" in lines
    status = eventually(lambda: ended(newer, web, "look"))
    assert status["state"]["terminated"]["exitCode"] == 3 and status["restartCount"] == 0
    assert newer.json("get", "pod", web)["status"]["containerStatuses"][0]["restartCount"] == 0
    assert "web" in newer("logs", web, "-c", "look").replace("\r", "").split("\n")


def ended(kubectl: Kubectl, name: str, container: str) -> dict[str, object] | None:
    statuses = kubectl.json("get", "pod", name)["status"]["ephemeralContainerStatuses"]
    status = next(each for each in statuses if each["name"] == container)
    return status if "terminated" in status["state"] else None


def test_commands_and_mounts_work_in_one(newer: Kubectl, web: str) -> None:
    added = {
        "name": "tools",
        "image": "tomcat",
        "imagePullPolicy": "IfNotPresent",
        "volumeMounts": [{"name": "shared", "mountPath": "/seen"}],
        **shell("exec sleep 600"),
    }
    patch = {"spec": {"ephemeralContainers": [added]}}
    newer("patch", "pod", web, "--subresource=ephemeralcontainers", "-p", json.dumps(patch))
    eventually(lambda: newer.tried("exec", web, "-c", "tools", "--", "true").returncode == 0)
    assert newer("exec", web, "-c", "tools", "--", "cat", "/seen/file") == "kept\n"
    events = newer("get", "events", "--field-selector", f"involvedObject.name={web}", "-o", "yaml")
    assert "fieldPath: spec.ephemeralContainers{tools}" in events
