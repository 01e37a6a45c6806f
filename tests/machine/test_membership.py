"""A host with systemd joins, leaves, and joins again; problems are reported with their remedies."""

from __future__ import annotations

import pytest

from netrig.plugin import eventually
from tests.machine.bed import Machine
from tests.machine.hosts import Control, is_active, snapshot

pytestmark = pytest.mark.timeout(300)


def nodes(master: Machine) -> list[str]:
    """Names of the nodes in the API."""
    items = Control(master).api("/api/v1/nodes")["items"]
    return [each["metadata"]["name"] for each in items]


def test_a_host_joins_leaves_and_joins_again(pair: tuple[Machine, Machine]) -> None:
    master, node = pair
    before = snapshot(node)
    join = Control(master).join_words()
    node.run(*join, timeout_s=120)
    assert is_active(node, "agent")
    assert node.output("systemctl", "is-enabled", "sampan-agent") == "enabled"
    assert nodes(master) == ["joiner"]
    assert "already" in node.run(*join, timeout_s=120).stderr
    node.run("sampan", "check")

    assert "has left the cluster" in node.run("sampan", "leave", timeout_s=120).stderr
    assert not is_active(node, "agent")
    assert snapshot(node) == before, "the host must be as before the join"
    assert nodes(master) == []
    assert "is not a node" in node.run("sampan", "leave", timeout_s=120).stderr
    node.run(*join, timeout_s=120)


def test_a_node_without_its_engine_is_reset_when_the_engine_is_back(pair: tuple[Machine, Machine]) -> None:
    master, node = pair
    join = Control(master).join_words()
    node.run(*join, timeout_s=120)
    waits = [*join, "--timeout", "1"]
    node.run("systemctl", "stop", "docker.socket", "docker.service")
    try:
        assert eventually(lambda: not Control(master).ready("/api/v1/nodes/joiner"), within_s=60)
        assert "Ready is False" in node.run(*waits, check=False, timeout_s=60).stderr
        away = node.run("sampan", "reset", check=False, timeout_s=120)
        assert away.returncode == 1
        assert "could not be removed: containers: " in away.stderr
        assert node.exists("/var/lib/sampan/agent/identity.json")
    finally:
        node.run("systemctl", "start", "docker.service")
    assert "is clean" in node.run("sampan", "reset", timeout_s=120).stderr
    assert not node.exists("/var/lib/sampan/agent/identity.json")
    refused = node.run("sampan", "join", *join[2:3], "--token", "abcdef.0123456789abcdef", *join[5:], check=False)
    assert refused.returncode == 1
    assert "ERROR   join-token: " in refused.stderr
