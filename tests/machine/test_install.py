"""Installing and uninstalling offline on a host that boots systemd, as root of a new Debian."""

from __future__ import annotations

import pytest

from netrig.plugin import eventually
from tests.machine.bed import Machine
from tests.machine.conftest import BUNDLE, MakeMachines
from tests.machine.hosts import ADMIN, is_active, process_of, record, snapshot

INSTALL = f"{BUNDLE}/install"
pytestmark = pytest.mark.timeout(300)


def test_uninstalling_removes_what_installing_made_and_nothing_else(machine: Machine) -> None:
    before = snapshot(machine)
    machine.shell(f"umask 077; {INSTALL} master", timeout_s=120)
    machine.run(INSTALL, "agent", "--master", str(machine.address), "--node-name", "n1", timeout_s=120)
    assert is_active(machine, "master")
    assert machine.output("ps", "-o", "user=", "-p", str(process_of(machine, "master"))) == "sampan"
    assert "n1" in machine.output("cat", "/etc/sampan/agent.toml")
    assert machine.run("systemctl", "is-enabled", "sampan-agent", check=False).stdout.strip() == "disabled"
    machine.run("sampan", "token", "list", "--kubeconfig", ADMIN)

    # A second time nothing changes and nothing restarts.
    files, pid = snapshot(machine), process_of(machine, "master")
    machine.run(INSTALL, "master", "--cluster-cidr", "10.9.0.0/16", timeout_s=120)
    assert (snapshot(machine), process_of(machine, "master")) == (files, pid)

    output = machine.output("sampan", "uninstall")
    assert "/etc/sampan" in output and "/var/lib/sampan" in output and "the user sampan" in output
    assert not machine.exists("/usr/local/bin/sampan") and not machine.exists("/opt/sampan/releases")
    assert machine.exists(ADMIN) and machine.exists("/etc/sampan/master.toml")

    # Installed again with the state that was kept: it is the same cluster.
    authority = machine.output("sha256sum", "/var/lib/sampan/master/pki/ca.crt")
    machine.run(INSTALL, "master", timeout_s=120)
    assert machine.output("sha256sum", "/var/lib/sampan/master/pki/ca.crt") == authority
    machine.run(INSTALL, "uninstall", "--purge")
    assert snapshot(machine) == before
    again = machine.run(INSTALL, "uninstall", "--purge", check=False)
    assert (again.returncode, again.stderr) == (3, "sampan: nothing is installed here\n")


KILLED_WHEN = {
    "the release is being filled": "[ -e /opt/sampan/releases/*/lib/python3.11/site-packages/grpc ]",
    "the release is being compiled": "[ -e /opt/sampan/releases/*/bin/sampan ]",
    "the user exists": "grep -q ^sampan: /etc/passwd",
    "the configuration exists": "[ -e /etc/sampan/master.toml ]",
    "the unit exists": "[ -e /etc/systemd/system/sampan-master.service ]",
}


def test_an_installation_killed_at_any_step_is_completed_by_the_same_command(machine: Machine) -> None:
    before = snapshot(machine)
    for when, condition in KILLED_WHEN.items():
        killed = machine.shell(
            f"{INSTALL} master & until {condition}; do :; done; kill -9 $!; wait $!", check=False, timeout_s=120
        )
        assert killed.returncode == 137, f"not killed when {when}: {killed.stderr}"
        assert machine.exists("/opt/sampan/installed.json"), when
    machine.run(INSTALL, "master", timeout_s=120)
    assert is_active(machine, "master")
    assert record(machine)["roles"] == ["master"] and record(machine)["user_made"]
    machine.run("sampan", "uninstall", "--purge")
    assert snapshot(machine) == before


@pytest.mark.parametrize("condition", ["[ -e /opt/sampan/releases/*/lib ]", "grep -q ^sampan: /etc/passwd"])
def test_a_killed_installation_can_be_uninstalled(machine: Machine, condition: str) -> None:
    before = snapshot(machine)
    machine.shell(f"{INSTALL} master & until {condition}; do :; done; kill -9 $!; wait $!", check=False, timeout_s=120)
    machine.run(INSTALL, "uninstall", "--purge")
    assert snapshot(machine) == before


@pytest.mark.parametrize(
    ("limit", "says"),
    [("size=64m", "needs 150 MiB and 63 MiB are free there"), ("size=400m,nr_inodes=500", "No space left on device")],
    ids=["too small", "full during the installation"],
)
def test_a_full_disk_is_reported_and_nothing_is_left(machines: MakeMachines, limit: str, says: str) -> None:
    (machine,) = machines(1, f"--tmpfs=/opt:exec,mode=755,{limit}")
    before = snapshot(machine)
    failed = machine.run(INSTALL, "master", check=False, timeout_s=120)
    assert failed.returncode == 1 and says in failed.stderr.splitlines()[-1], failed.stderr
    assert snapshot(machine) == before


def test_installing_without_root_and_without_requirements(machine: Machine) -> None:
    before = snapshot(machine)
    for words in (["install", "master"], ["install", "agent"], ["upgrade"], ["uninstall"]):
        argv = [INSTALL, *(words[1:] if words[0] == "install" else words)]
        refused = machine.run(*argv, user="nobody", check=False)
        assert (refused.returncode, refused.stderr) == (1, "sampan: only root may change this host: run it with sudo\n")
    wrong = machine.run(INSTALL, "master", "--cluster-cidr", "10.96.0.0/12", check=False)
    assert wrong.returncode == 2 and "service_cidr" in wrong.stderr.splitlines()[-1], wrong.stderr
    assert machine.run(INSTALL, "upgrade", check=False).returncode == 3
    assert snapshot(machine) == before

    # Installing from a wheel needs pip, which comes with python3-venv; installing from a bundle does not.
    machine.run("dpkg", "--remove", "--force-depends", "python3-venv", "python3.11-venv")
    before = snapshot(machine)
    wheel = machine.output("sh", "-c", f"ls {BUNDLE}/sampan-*.whl")
    path = machine.output("sh", "-c", f"echo {wheel}:$(ls {BUNDLE}/wheels/sampan_netstack-*.whl)")
    alone = machine.run(
        "env", f"PYTHONPATH={path}", "python3", "-P", "-m", "cli", "install", "agent", "--from", wheel, check=False
    )
    assert alone.returncode == 1 and "apt-get install python3-venv" in alone.stderr, alone.stderr
    assert snapshot(machine) == before
    machine.run(INSTALL, "agent", timeout_s=120)
    assert machine.output("sampan", "--version").startswith("sampan ")


def test_a_master_that_cannot_start_is_reported_with_its_own_message(machine: Machine) -> None:
    machine.write("/etc/sampan/master.toml", 'data_dir = "/var/lib/sampan/master"\nnode_port_range = "x"\n')
    failed = machine.run(INSTALL, "master", check=False, timeout_s=200)
    assert failed.returncode == 1 and "node_port_range" in failed.stderr.splitlines()[-1], failed.stderr
    # It is restarted at growing intervals, and starts with a corrected configuration.
    status = ("systemctl", "show", "--value", "--property=StatusText", "sampan-master")
    eventually(lambda: "waiting 2 s: it failed 3 times in a row" in machine.output(*status), within_s=60)
    machine.write("/etc/sampan/master.toml", 'data_dir = "/srv/data/sampan"\napi_port = 443\nsession_port = 444\n')
    machine.run(INSTALL, "master", timeout_s=120)
    assert is_active(machine, "master") and machine.exists("/srv/data/sampan/store.db")
    machine.run("systemctl", "restart", "sampan-master", timeout_s=20)
    machine.run("sampan", "token", "list", "--kubeconfig", "/srv/data/sampan/admin.kubeconfig")
    machine.run("sampan", "uninstall", "--purge")
    assert machine.exists("/etc/sampan/master.toml"), "it existed before the installation"
    assert not machine.exists("/srv/data")
