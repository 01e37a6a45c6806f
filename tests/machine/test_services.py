"""Master and agent as services of two hosts: how a stop, a hang and an upgrade affect the pods."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from netrig.plugin import eventually
from tests.machine.bed import Machine, MachineBed
from tests.machine.bundle import NEWER
from tests.machine.conftest import BUNDLE, IN_MEMORY
from tests.machine.hosts import Control, entries, is_active, load_image, process_of, record, together

pytestmark = pytest.mark.timeout(300)

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "main", "image": "tomcat:latest", "imagePullPolicy": "IfNotPresent"}]},
}
_DROP_IN = "/etc/systemd/system/sampan-agent.service.d/test.conf"
_TALK = """
import socket, sys, time
talk = socket.create_connection((sys.argv[1], 8080))
print("open", flush=True)
sys.stdin.readline()
talk.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print(talk.recv(100).decode().split("\\r\\n")[0], flush=True)
"""
_BROKEN = """
import shutil, warnings, zipfile
from pathlib import Path
warnings.simplefilter("ignore")
shutil.copytree("/newer", "/root/broken")
wheel, = Path("/root/broken").glob("sampan-*.whl")
with zipfile.ZipFile(wheel, "a") as archive:
    # Of two members with one name the last one counts.
    content = archive.read("agent/node.py").decode()
    begins, broken = "    async def run(self) -> None:\\n", "        raise ValueError('broken on purpose')\\n"
    assert begins in content
    archive.writestr("agent/node.py", content.replace(begins, begins + broken, 1))
"""


def description(machine: Machine, role: str) -> str:
    """The Description= of the service's unit."""
    return machine.output("systemctl", "show", "--value", "--property=Description", f"sampan-{role}")


class Hosts(Control):
    """A master and a node that runs one pod."""

    def __init__(self, master: Machine, node: Machine) -> None:
        super().__init__(master)
        self.node = node

    def pod_address(self) -> str:
        status = self.api("/api/v1/namespaces/default/pods/web")["status"]
        assert isinstance(status, dict)
        return str(status["podIP"])

    def containers(self) -> list[str]:
        """Id and start of each container on the node."""
        ids = self.node.output("docker", "ps", "--quiet", "--no-trunc").split()
        return sorted(
            self.node.output("docker", "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", *ids).split("\n")
        )


@pytest.fixture(scope="module")
def hosts(bed: MachineBed, bundle: Path, newer: Path) -> Iterator[Hosts]:
    volumes = (f"--volume={bundle}:{BUNDLE}:ro", f"--volume={newer}:/newer:ro")
    master, node = (bed.add(name, *volumes, *IN_MEMORY) for name in ("boss", "worker"))
    try:
        for machine in (master, node):
            machine.wait_running()
        together(
            lambda: master.run(f"{BUNDLE}/install", "master", timeout_s=120),
            lambda: node.run(f"{BUNDLE}/install", "agent", "--master", str(master.address), timeout_s=120),
        )
        load_image(node)
        made = Hosts(master, node)
        node.run(*made.join_words(), timeout_s=120)
        eventually(lambda: made.ready("/api/v1/nodes/worker"), within_s=60)
        made.api("/api/v1/namespaces/default/pods", body=POD)
        eventually(lambda: made.ready("/api/v1/namespaces/default/pods/web"), within_s=60)
        yield made
    finally:
        bed.remove(master)
        bed.remove(node)


def test_a_stopped_agent_leaves_its_containers_and_adopts_them_again(hosts: Hosts) -> None:
    before = hosts.containers()
    assert len(before) == 2
    assert hosts.node.output("systemctl", "is-enabled", "sampan-agent") == "enabled", "the agent must start at boot"
    hosts.node.run("systemctl", "stop", "sampan-agent")
    assert hosts.containers() == before
    hosts.node.run("systemctl", "start", "sampan-agent")
    assert is_active(hosts.node, "agent")
    eventually(lambda: hosts.ready("/api/v1/nodes/worker"), within_s=60)
    assert hosts.containers() == before


@pytest.mark.parametrize("role", ["agent", "master"])
def test_a_daemon_that_hangs_is_killed_by_the_watchdog_and_restarted(hosts: Hosts, role: str) -> None:
    machine = hosts.node if role == "agent" else hosts.master
    before, containers = process_of(machine, role), hosts.containers()
    drop_in = _DROP_IN.replace("agent", role)
    machine.write(drop_in, "[Service]\nWatchdogSec=2\n")
    try:
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", f"sampan-{role}")
        hung = process_of(machine, role)
        assert hung != before
        machine.run("kill", "-STOP", str(hung))
        eventually(lambda: process_of(machine, role) not in (0, hung) and is_active(machine, role), within_s=60)
    finally:
        machine.run("rm", drop_in)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", f"sampan-{role}")
    output = machine.journal(f"sampan-{role}", lines=300)
    assert "Watchdog timeout" in output
    assert re.search(r"[Tt]hread .* \(most recent call first\)", output), "the traceback of the hang is missing"
    eventually(lambda: hosts.ready("/api/v1/nodes/worker"), within_s=60)
    assert hosts.containers() == containers


def test_journal_entries_have_the_object_as_a_field(hosts: Hosts) -> None:
    assert entries(hosts.node, "_SYSTEMD_UNIT=sampan-agent.service", "SAMPAN_NODE=worker", "LOGGER=agent.main")
    (entry, *_) = entries(hosts.node, "SAMPAN_OBJECT=node/worker")
    assert entry["SYSLOG_IDENTIFIER"] == "sampan" and entry["_UID"] == "0"
    (served, *_) = entries(hosts.master, "LOGGER=master.api.server", "PRIORITY=6")
    assert served["_SYSTEMD_UNIT"] == "sampan-master.service" and served["_UID"] != "0"


def test_containers_and_connections_survive_an_upgrade_and_its_rollback(hosts: Hosts) -> None:
    old = record(hosts.node)["release"]
    before, agent, master = hosts.containers(), process_of(hosts.node, "agent"), process_of(hosts.master, "master")
    hosts.node.write("/root/talk.py", _TALK)
    talk = hosts.node.start_process("python3", "/root/talk.py", hosts.pod_address())
    assert talk.stdin and talk.stdout
    try:
        assert talk.stdout.readline() == b"open\n"
        together(
            lambda: hosts.master.run("/newer/install", "upgrade", timeout_s=200),
            # With the old release's command, which does not know the new one's units.
            lambda: hosts.node.run("sampan", "upgrade", "--from", "/newer", timeout_s=200),
        )
        for machine, role in ((hosts.master, "master"), (hosts.node, "agent")):
            assert machine.output("sampan", "--version") == f"sampan {NEWER}"
            assert description(machine, role) == f"Sampan {role} {NEWER}"
        assert process_of(hosts.node, "agent") not in (0, agent)
        assert process_of(hosts.master, "master") not in (0, master)
        eventually(lambda: hosts.ready("/api/v1/nodes/worker"), within_s=60)
        assert hosts.containers() == before

        # A second time: at most the services are restarted.
        hosts.node.run("/newer/install", "upgrade", timeout_s=200)
        assert record(hosts.node)["previous"] == old
        for machine, role in ((hosts.node, "agent"), (hosts.master, "master")):
            assert f"release {old} runs" in machine.output("sampan", "upgrade", "--rollback", timeout_s=200)
            assert machine.output("sampan", "--version") == f"sampan {old}"
            assert description(machine, role) == f"Sampan {role}"
        eventually(lambda: hosts.ready("/api/v1/nodes/worker"), within_s=60)
        assert hosts.containers() == before
        talk.stdin.write(b"\n")
        talk.stdin.flush()
        assert talk.stdout.readline().startswith(b"HTTP/1")
    finally:
        talk.kill()
        talk.wait()
        talk.stdin.close()
        talk.stdout.close()


def test_an_agent_whose_new_release_fails_is_rolled_back(hosts: Hosts) -> None:
    old, before = record(hosts.node)["release"], hosts.containers()
    hosts.node.write("/root/broken.py", _BROKEN)
    hosts.node.run("python3", "/root/broken.py", timeout_s=60)
    failed = hosts.node.run("sampan", "upgrade", "--from", "/root/broken", check=False, timeout_s=200)
    output = failed.stderr.splitlines()[-1]
    assert failed.returncode == 1 and "broken on purpose" in output and f"release {old} runs again" in output, output
    assert record(hosts.node)["release"] == old and not record(hosts.node)["unfinished"]
    eventually(lambda: is_active(hosts.node, "agent") and hosts.ready("/api/v1/nodes/worker"), within_s=60)
    assert hosts.containers() == before


def test_a_host_that_is_still_a_node_is_not_uninstalled(hosts: Hosts) -> None:
    refused = hosts.node.run("sampan", "uninstall", check=False)
    assert refused.returncode == 1 and "sampan leave" in refused.stderr
    assert is_active(hosts.node, "agent") and len(hosts.containers()) == 2


def test_pods_end_before_their_host_does_if_its_agent_gives_them_time(hosts: Hosts) -> None:
    config = "/etc/sampan/agent.toml"
    hosts.node.write(config, "shutdown_grace_period_s = 20\n" + hosts.node.output("cat", config))
    hosts.node.run("systemctl", "restart", "sampan-agent")
    eventually(lambda: is_active(hosts.node, "agent") and hosts.ready("/api/v1/nodes/worker"), within_s=60)
    assert len(hosts.containers()) == 2, "a restart of the agent alone ends no pod"
    hosts.node.stop()
    status = hosts.api("/api/v1/namespaces/default/pods/web")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Terminated")
    (container,) = status["containerStatuses"]
    assert container["state"]["terminated"]["exitCode"] == 143, "it was not killed"
    assert any(each["type"] == "DisruptionTarget" for each in status["conditions"])
    (ready,) = (each for each in hosts.api("/api/v1/nodes/worker")["status"]["conditions"] if each["type"] == "Ready")
    assert ready["status"] != "True"
