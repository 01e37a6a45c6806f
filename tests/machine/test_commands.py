"""Commands without rights, master, engine, valid token or disk space: a clear message and an exit code."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.machine.bed import Machine
from tests.machine.conftest import BUNDLE
from tests.machine.hosts import ADMIN, Control, is_active, snapshot

pytestmark = pytest.mark.timeout(300)
Pair = tuple[Machine, Machine]
STATE = "/var/lib/sampan/agent"


def refused(machine: Machine, words: list[str], code: int, says: str, *, user: str = "root") -> None:
    """The command ends with this code and this last line, and without a traceback."""
    done = machine.run(*words, user=user, check=False, timeout_s=120)
    last = done.stderr.splitlines()[-1] if done.stderr else ""
    assert (done.returncode, says in last) == (code, True), f"{words}: {done.returncode}: {done.stdout}{done.stderr}"
    assert last.startswith("sampan: ")
    assert "Traceback" not in done.stderr


@pytest.fixture
def join(pair: Pair) -> Iterator[list[str]]:
    """A new join command; the host is not a node afterwards."""
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
def test_commands_without_root(pair: Pair, words: str, says: str) -> None:
    refused(pair[0], ["sampan", *words.split()], 1, says, user="nobody")


def test_a_check_of_a_node_without_root_and_a_revoked_token(pair: Pair, join: list[str]) -> None:
    master, node = pair
    node.run(*join, timeout_s=120)
    done = node.run("sampan", "check", "-o", "json", user="nobody", check=False)
    assert done.returncode == 1
    assert [each["id"] for each in json.loads(done.stdout) if each["severity"] == "error"] == ["not-root"]

    master.run("sampan", "token", "revoke", join[4])
    node.run("systemctl", "restart", "sampan-agent")
    # The host is a node now: the same command waits for it.
    assert "already" in node.run(*join, timeout_s=120).stderr


def test_with_an_invalid_token(pair: Pair) -> None:
    """Wrong tokens, and those of another cluster: tests/cluster/test_membership.py."""
    master, node = pair
    before = snapshot(node)
    expired = Control(master).join_words("--ttl", "1s")
    revoked = Control(master).join_words()
    master.run("sampan", "token", "revoke", revoked[4])
    refused(master, ["sampan", "token", "revoke", revoked[4]], 3, "not found")
    time.sleep(1)
    for words in (expired, revoked):
        refused(node, words, 1, "not joined, and nothing was changed: correct join-token")
    assert snapshot(node) == before


def test_commands_without_an_answer_of_the_master(pair: Pair, join: list[str]) -> None:
    master, node = pair
    node.run(*join, timeout_s=120)
    master.run("sampan", "backup", "/tmp/b.tar")
    master.run("systemctl", "stop", "sampan-master")
    try:
        for words, code, says in (
            ("token create", 4, "no answer from https://"),
            ("token list", 4, "no answer from https://"),
            ("token revoke abcdef", 4, "no answer from https://"),
            ("certs rotate", 4, "start it: certificates are renewed by the running master"),
            ("certs rotate ca --finish", 4, "start it: certificates are renewed by the running master"),
            ("backup /tmp/c.tar", 4, "start it: a backup is made by the running master"),
            ("restore /tmp/b.tar", 1, "is not empty"),
            ("restore /tmp/none.tar", 1, "/tmp/none.tar: no such file"),
        ):
            refused(master, ["sampan", *words.split()], code, says)
        assert "server" in master.output("sampan", "certs"), "certificates in files are shown"
        assert not master.exists("/tmp/c.tar")
        refused(node, [*join, "--timeout", "1"], 4, "is a member, but not Ready after 1 s: no answer from the master")
        refused(node, ["sampan", "leave"], 4, "`sampan reset` cleans this host without the master")
        refused(node, ["sampan", "uninstall"], 1, "this host is still a node: run `sampan leave` first")
        assert is_active(node, "agent"), "the refused commands must change nothing"

        messages = node.run("sampan", "reset", timeout_s=120).stderr
        assert "kubectl delete node joiner before a host joins under that name again" in messages
        refused(node, join, 4, "correct master-answer")
    finally:
        master.run("systemctl", "start", "sampan-master")
    # The remedy in the message works.
    taken = node.run(*join, check=False, timeout_s=120)
    assert taken.returncode == 1 and "ERROR   node-name-taken: " in taken.stderr
    assert "→ kubectl delete node joiner, if that machine is gone" in taken.stderr
    Control(master).delete("/api/v1/nodes/joiner")
    node.run(*join, timeout_s=120)


def test_commands_without_an_engine(pair: Pair, join: list[str]) -> None:
    node = pair[1]
    before = snapshot(node)
    node.run("systemctl", "stop", "docker.socket", "docker.service")
    try:
        refused(node, join, 1, "correct engine-answer")
        node.run("rm", "/run/docker.sock")
        refused(node, join, 1, "correct engine-socket")
        # Installing needs no engine; `check` has the remedy.
        node.run(f"{BUNDLE}/install", "agent", timeout_s=120)
        assert "engine-socket" in node.run("sampan", "check", check=False).stdout
    finally:
        node.run("systemctl", "start", "docker.socket", "docker.service")
    assert snapshot(node) == before


FILL = "head -c 64M /dev/zero > {0}/filler 2> /dev/null || true"


def test_on_a_full_disk(pair: Pair, join: list[str]) -> None:
    """For installing and joining see test_install.py and tests/cluster/test_membership.py."""
    master, node = pair
    master.shell("mkdir -p /tmp/full && mount -t tmpfs -o size=64k tmpfs /tmp/full")
    node.shell(f"mkdir -p {STATE} && mount -t tmpfs -o size=1m tmpfs {STATE}")
    try:
        master.run("sampan", "backup", "/tmp/b.tar")
        refused(master, ["sampan", "backup", "/tmp/full/b.tar"], 1, "No space left on device: '/tmp/full/b.tar'")
        refused(master, ["sampan", "restore", "/tmp/b.tar", "--data-dir", "/tmp/full/m"], 1, "No space left on device")
        assert master.output("find", "/tmp/full", "-type", "f").splitlines() == ["/tmp/full/m/lock"]
    finally:
        master.run("umount", "/tmp/full")
    try:
        node.run(*join, "--ignore-preflight-errors", "disk-space", timeout_s=120)
        node.shell(FILL.format(STATE))
        assert "has left the cluster" in node.run("sampan", "leave", timeout_s=120).stderr
    finally:
        node.run("umount", "--lazy", STATE)


def test_an_upgrade_without_room(pair: Pair) -> None:
    node = pair[1]
    old = node.output("sampan", "--version")
    used = int(node.output("sh", "-c", "df --output=used -m /opt | tail -1"))
    node.run("mount", "-o", f"remount,size={used + 2}m", "/opt")
    try:
        refused(node, ["/newer/install", "upgrade"], 1, "MiB are free there: make room, then run this again")
    finally:
        node.run("mount", "-o", "remount,size=50%", "/opt")
    assert node.output("sampan", "--version") == old
