"""Commands where rights, the master, the engine, a good token or room are missing: a clear line, and a code."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from lab.machine import Machine
from tests.cluster.waiting import eventually
from tests.machine.conftest import BUNDLE, IN_MEMORY, MakeMachines
from tests.machine.hosts import ADMIN, Control, is_active, snapshot

pytestmark = pytest.mark.timeout(300)
Pair = tuple[Machine, Machine]
STATE = "/var/lib/sampan/agent"


def refused(machine: Machine, words: list[str], code: int, says: str, *, user: str = "root") -> None:
    """The command ends with this code, and its last line says that; nobody sees how it was found out."""
    done = machine.run(*words, user=user, check=False, timeout_s=120)
    last = done.stderr.splitlines()[-1] if done.stderr else ""
    assert (done.returncode, says in last) == (code, True), f"{words}: {done.returncode}: {done.stdout}{done.stderr}"
    assert last.startswith("sampan: ")
    assert "Traceback" not in done.stderr


@pytest.fixture
def join(pair: Pair) -> Iterator[list[str]]:
    """A join command of a moment ago; the host is no node afterwards."""
    yield Control(pair[0]).join_words()
    pair[1].run("sampan", "reset", timeout_s=120)


MASTERS = f"{ADMIN}: Permission denied"
DATA = "/var/lib/sampan/master: Permission denied; only root may"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("token create", MASTERS),
        ("token list", MASTERS),
        ("token revoke abcdef", MASTERS),
        ("certs", DATA),
        ("certs rotate", DATA),
        ("backup /tmp/b.tar", DATA),
        ("restore /etc/hostname", "Permission denied"),
        ("leave", "only root may"),
        ("reset", "only root may"),
        ("join 192.0.2.1 --token abcdef.0123456789abcdef --ca-hash sha256:0", "only root may"),
    ],
)
def test_without_root(pair: Pair, words: str, says: str) -> None:
    refused(pair[0], ["sampan", *words.split()], 1, says, user="nobody")


def test_a_check_without_root_says_that_it_saw_little(pair: Pair, join: list[str]) -> None:
    pair[1].run(*join, timeout_s=120)
    done = pair[1].run("sampan", "check", "-o", "json", user="nobody", check=False)
    assert done.returncode == 1
    assert [each["id"] for each in json.loads(done.stdout) if each["severity"] == "error"] == ["not-root"]


def test_with_a_token_that_is_not_good(pair: Pair) -> None:
    """A wrong one is test_membership's."""
    master, node = pair
    before = snapshot(node)
    expired = Control(master).join_words("--ttl", "1s")
    good = Control(master).join_words()
    revoked = Control(master).join_words()
    master.run("sampan", "token", "revoke", revoked[4])
    refused(master, ["sampan", "token", "revoke", revoked[4]], 3, "not found")
    another = [*good[:-1], "sha256:" + "0" * 64]
    nonsense = [*good[:4], "nonsense", *good[5:]]
    time.sleep(1)
    for words, code, id_ in (
        (expired, 1, "join-token"),
        (revoked, 1, "join-token"),
        (nonsense, 1, "join-token"),
        (another, 4, "master-trust"),
    ):
        refused(node, words, code, f"not joined, and nothing was changed: mend {id_}")
    assert snapshot(node) == before


def test_with_the_master_away(pair: Pair, join: list[str]) -> None:
    master, node = pair
    node.run(*join, timeout_s=120)
    master.run("sampan", "backup", "/tmp/b.tar")
    master.run("systemctl", "stop", "sampan-master")
    try:
        for words, code, says in (
            ("token create", 4, "no answer from https://"),
            ("token list", 4, "no answer from https://"),
            ("token revoke abcdef", 4, "no answer from https://"),
            ("certs rotate", 4, "start it: certificates are made anew by the master"),
            ("certs rotate ca --finish", 4, "start it: certificates are made anew by the master"),
            ("backup /tmp/c.tar", 4, "start it: a backup is made by the master"),
            ("restore /tmp/b.tar", 1, "is not empty"),
            ("restore /tmp/none.tar", 1, "/tmp/none.tar: no such file"),
        ):
            refused(master, ["sampan", *words.split()], code, says)
        assert "server" in master.says("sampan", "certs"), "what is in files is told"
        assert not master.exists("/tmp/c.tar")
        refused(node, [*join, "--timeout", "1"], 4, "is a member, and not Ready after 1 s: no answer from the master")
        refused(node, ["sampan", "leave"], 4, "`sampan reset` cleans this host without the master")
        refused(node, ["sampan", "uninstall"], 1, "this host is still a node: run `sampan leave` first")
        assert is_active(node, "agent"), "and nothing was changed"

        said = node.run("sampan", "reset", timeout_s=120).stderr
        assert "kubectl delete node joiner before a host joins under that name again" in said
        refused(node, join, 4, "mend master-answer")
    finally:
        master.run("systemctl", "start", "sampan-master")
    # The way out that was told, and that is told again, is one.
    taken = node.run(*join, check=False, timeout_s=120)
    assert taken.returncode == 1 and "ERROR   node-name-taken: " in taken.stderr
    assert "→ kubectl delete node joiner, if that machine is gone" in taken.stderr
    Control(master).api("/api/v1/nodes/joiner", verb="delete")
    node.run(*join, timeout_s=120)


def test_without_an_engine(pair: Pair, join: list[str]) -> None:
    node = pair[1]
    before = snapshot(node)
    node.run("systemctl", "stop", "docker.socket", "docker.service")
    try:
        refused(node, join, 1, "mend engine-answer")
        node.run("rm", "/run/docker.sock")
        refused(node, join, 1, "mend engine-socket")
        # Installing needs none; the way out is told by the check.
        node.run(f"{BUNDLE}/install", "agent", timeout_s=120)
        assert "engine-socket" in node.run("sampan", "check", check=False).stdout
    finally:
        node.run("systemctl", "start", "docker.socket", "docker.service")
    assert snapshot(node) == before
    node.run(*join, timeout_s=120)


FILL = "head -c 64M /dev/zero > {0}/filler 2> /dev/null || true"


def test_on_a_full_disk(pair: Pair, join: list[str]) -> None:
    """Installing and joining on one: test_install, and the lab's test_membership."""
    master, node = pair
    master.shell("mkdir -p /tmp/full && mount -t tmpfs -o size=64k tmpfs /tmp/full")
    node.shell(f"mkdir -p {STATE} && mount -t tmpfs -o size=1m tmpfs {STATE}")
    try:
        master.run("sampan", "backup", "/tmp/b.tar")
        refused(master, ["sampan", "backup", "/tmp/full/b.tar"], 1, "No space left on device: '/tmp/full/b.tar'")
        refused(master, ["sampan", "restore", "/tmp/b.tar", "--data-dir", "/tmp/full/m"], 1, "No space left on device")
        assert master.says("find", "/tmp/full", "-type", "f").splitlines() == ["/tmp/full/m/lock"]
    finally:
        master.run("umount", "/tmp/full")
    try:
        node.run(*join, "--ignore-preflight-errors", "disk-space", timeout_s=120)
        node.shell(FILL.format(STATE))
        assert "has left the cluster" in node.run("sampan", "leave", timeout_s=120).stderr
        node.run(*join, "--ignore-preflight-errors", "disk-space", timeout_s=120)
        node.shell(FILL.format(STATE))
        assert "is clean" in node.run("sampan", "reset", timeout_s=120).stderr
    finally:
        node.run("umount", "--lazy", STATE)


def test_an_upgrade_and_a_removal_on_a_full_disk(machines: MakeMachines) -> None:
    (machine,) = machines(1, *(f"{each},size=200m" for each in IN_MEMORY))
    before = snapshot(machine)
    machine.run(f"{BUNDLE}/install", "agent", timeout_s=120)
    old = machine.says("sampan", "--version")
    machine.shell("head -c 200M /dev/zero > /opt/filler 2> /dev/null || true")
    refused(machine, ["/newer/install", "upgrade"], 1, "needs 150 MiB and 0 MiB are free there: make room")
    assert machine.says("sampan", "--version") == old
    machine.run("sampan", "uninstall")
    machine.run(f"{BUNDLE}/install", "uninstall", "--purge")
    machine.run("rm", "/opt/filler")
    assert snapshot(machine) == before


def test_a_revoked_or_expired_token_keeps_members(pair: Pair, join: list[str]) -> None:
    master, node = pair
    node.run(*join, timeout_s=120)
    master.run("sampan", "token", "revoke", join[4])
    node.run("systemctl", "restart", "sampan-agent")
    assert eventually(lambda: Control(master).ready("/api/v1/nodes/joiner"), timeout_s=60)
    # Which host it is, it knows by now: the same command waits for it.
    assert "already" in node.run(*join, timeout_s=120).stderr
