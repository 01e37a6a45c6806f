"""Podman's socket in place of Docker's: the runtime's contract, and a node with Podman from join to leave."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agent.runtime.docker import DockerRuntime
from netrig.plugin import eventually
from tests.machine.bed import Machine, MachineBed
from tests.machine.conftest import BUNDLE, IN_MEMORY
from tests.machine.hosts import Control, load_image
from tests.unit.agent.runtime.contract import Bed, RuntimeContract, bed_of

pytestmark = pytest.mark.timeout(300)
SOCKET = "/run/podman/podman.sock"
POD = "/api/v1/namespaces/default/pods/web"
BLOCKED = '[[registry]]\nlocation = "docker.io"\nblocked = true\n'
"""There is no route out: without this, Podman tries the registry for a minute before it fails."""


@pytest.fixture(scope="module")
def host(crowded: MachineBed, bundle: Path) -> Iterator[Machine]:
    """A machine with Podman and no running Docker. Overlay file systems do not stack: its storage is a volume."""
    made = crowded.add("podman", f"--volume={bundle}:{BUNDLE}:ro", "--volume=/var/lib/containers", *IN_MEMORY)
    try:
        made.wait_running()
        made.run("systemctl", "disable", "--now", "docker.socket", "docker.service", "containerd.service")
        made.run("systemctl", "enable", "--now", "podman.socket")
        made.write("/etc/containers/registries.conf.d/blocked.conf", BLOCKED)
        load_image(made, "podman")
        yield made
    finally:
        crowded.remove(made)


@pytest.fixture
async def bed(host: Machine) -> AsyncIterator[Bed]:
    pid = host.docker.must("inspect", "--format", "{{.State.Pid}}", host.name)
    async with bed_of(DockerRuntime(Path(f"/proc/{pid}/root{SOCKET}")), "docker.io/library/tomcat:latest") as made:
        yield made
    assert host.output("podman", "ps", "--all", "--quiet") == ""


class TestPodman(RuntimeContract):
    pass


def running(host: Machine) -> dict[str, str]:
    """The running containers: name → id."""
    lines = host.output("podman", "ps", "--format", "{{.Names}} {{.ID}}").splitlines()
    return {line.split()[0]: line.split()[1] for line in lines}


def test_a_node_with_podman_joins_runs_pods_and_leaves(host: Machine) -> None:
    host.run(f"{BUNDLE}/install", "master", timeout_s=120)
    host.run(f"{BUNDLE}/install", "agent", "--engine-socket", SOCKET, timeout_s=120)
    findings = json.loads(host.run("sampan", "check", "-o", "json").stdout)
    assert "engine-podman" in {finding["id"] for finding in findings}
    control = Control(host)
    host.run(*control.join_words(), timeout_s=120)
    container = {"name": "main", "image": "tomcat:latest", "imagePullPolicy": "IfNotPresent"}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 2}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}
    control.api("/api/v1/namespaces/default/pods", body=pod)
    eventually(lambda: control.ready(POD), within_s=60)
    status = control.api(POD)["status"]
    assert status["containerStatuses"][0]["containerID"].startswith("podman://")
    info = control.api("/api/v1/nodes/podman")["status"]["nodeInfo"]
    assert info["containerRuntimeVersion"].startswith("podman://")
    host.run("curl", "--silent", "--fail", "--max-time", "5", f"http://{status['podIP']}:8080")

    before = running(host)
    assert len(before) == 2
    host.run("systemctl", "restart", "sampan-agent")
    eventually(lambda: control.ready("/api/v1/nodes/podman"), within_s=60)
    assert running(host) == before, "the agent must adopt the containers"

    # The engine reports a death by an event: the new container starts long before the next look.
    (main,) = (name for name in before if "_main_" in name)
    host.shell(f"kill -9 $(podman inspect --format '{{{{.State.Pid}}}}' {main})")
    eventually(lambda: len(running(host)) == 2 and main not in running(host), within_s=10)

    control.delete(POD)
    eventually(lambda: host.output("podman", "ps", "--all", "--quiet") == "", within_s=60)
    host.run("sampan", "leave", timeout_s=120)
    assert not host.exists("/var/lib/sampan/agent/identity.json")
    assert "SAMPAN" not in host.output("iptables-save")
