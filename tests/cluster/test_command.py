"""The command as a newcomer uses it: up, look around, break something, down; and an interrupted up."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.lab import delete, leftovers
from lab.layout import Layout
from lab.plugin.clusters import NAMES
from lab.state import command_lock
from lab.workloads import fetch

SAMPAN = Path(__file__).resolve().parents[2] / "sampan"


@pytest.fixture
def lab_name() -> Iterator[str]:
    name = NAMES.new()
    yield name
    delete(name)
    assert list(leftovers(name)) == []


@pytest.fixture
def sampan(lab_name: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [SAMPAN, *arguments],
            env={**environment, "SAMPAN_LAB": lab_name},
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stderr}{done.stdout}"
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.mark.timeout(240)
def test_up_look_around_and_down(lab_name: str, sampan: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    up = sampan("up")
    assert re.search(r"^engines: \d+\.\d\d s$", up.stderr, re.MULTILINE)
    assert f"export KUBECONFIG={Layout(lab_name).kubeconfig}" in up.stdout
    outside = re.search(r"tomcat-service .* (\S+):31002", up.stdout)
    assert outside
    answer = dict(line.split(": ", 1) for line in fetch(outside[1]).splitlines())
    assert answer["pod"].startswith("frontend-")
    assert answer["podIP"].startswith("10.244.")

    again = sampan("up")
    assert again.stdout == up.stdout
    document = json.loads(sampan("up", "-o", "json").stdout)
    assert document == json.loads(sampan("status", "-o", "json").stdout)
    assert [node["status"] for node in document["nodes"]] == ["Ready"] * 3

    hosts = json.loads(sampan("lab", "hosts", "-o", "json").stdout)
    assert [host["name"] for host in hosts] == ["master", "node1", "node2", "node3"]
    node = hosts[1]
    assert set(node["pids"]) == {"agent", "containerd", "dockerd"}
    assert set(node["pids"].values()) < set(node["allPids"])
    assert Path(node["engineSocket"]).is_socket()
    assert Path(node["stateDirectory"]).is_dir()
    assert node["networkNamespace"] in subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout

    addresses = sampan("lab", "exec", "node1", "--", "ip", "-4", "addr", "show", "eth0").stdout
    assert node["address"] in addresses
    assert sampan("lab", "exec", "node1", "--", "sh", "-c", "exit 7", code=7)

    assert sampan("delete", "rc/frontend", "service/tomcat-service").stdout.count(" deleted\n") == 2
    assert 'services "tomcat-service" not found' in sampan("delete", "svc/tomcat-service", code=1).stderr
    assert sampan("delete", "--ignore-not-found", "svc/tomcat-service").stdout == ""
    assert "name the objects as in node/node2" in sampan("delete", "frontend", code=2).stderr
    assert 'no resource "bogus"' in sampan("delete", "bogus/frontend", code=2).stderr

    sampan("lab", "kill", "node1")
    assert "agent" not in json.loads(sampan("lab", "hosts", "-o", "json").stdout)[1]["pids"]
    sampan("lab", "kill", "node1", code=3)
    sampan("lab", "start", "node1")
    sampan("up")  # waits until it is Ready again

    sampan("status")
    sampan("down")
    assert list(leftovers(lab_name)) == []
    assert "there is no lab" in sampan("down").stdout


@pytest.mark.timeout(240)
def test_the_next_up_finishes_an_interrupted_one(
    lab_name: str, sampan: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    for moment, number in (
        ("hosts:", signal.SIGKILL),
        ("engines:", signal.SIGINT),
        ("master and agents:", signal.SIGKILL),
    ):
        command = [SAMPAN, "up", "--lab", lab_name, "--nodes", "2"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
            assert process.stderr is not None
            assert any(line.startswith(moment) for line in process.stderr)
            process.send_signal(number)
            assert "Traceback" not in process.stderr.read()
    assert "node2" in sampan("up", "--nodes", "2").stdout


def test_tokens_and_kubeconfig_of_a_running_cluster(
    lab_name: str, sampan: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    sampan("up", "--no-examples", "--nodes", "1")
    created = sampan("token", "create", "--ttl", "1h").stdout
    match = re.fullmatch(
        r"sampan join \S+ --token ([a-z0-9]{6})\.[a-z0-9]{16} --ca-hash sha256:[0-9a-f]{64}\n", created
    )
    assert match
    assert match[1] in sampan("token", "list").stdout
    ticket = json.loads(sampan("token", "create", "-o", "json").stdout)
    assert (
        ticket["command"] == f"sampan join {ticket['address']} --token {ticket['token']} --ca-hash {ticket['caHash']}"
    )
    assert ticket["caHash"] in created
    sampan("token", "revoke", match[1])
    assert match[1] not in sampan("token", "list").stdout
    sampan("token", "delete", match[1], code=3)
    assert sampan("kubeconfig", "--path").stdout.strip() == str(Layout(lab_name).kubeconfig)
    assert "client-certificate-data" in sampan("kubeconfig").stdout


def test_commands_report_what_is_broken(lab_name: str, sampan: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    sampan("up", "--no-examples", "--nodes", "2")
    sampan("lab", "cut", "node1")
    again = sampan("up", "--no-examples", "--nodes", "5").stderr
    assert "node1 is faulty (cut)" in again and "sampan lab heal node1" in again
    assert "keeps its number of nodes, 2" in again
    with command_lock(Layout(lab_name)):
        assert "another command" in sampan("up", code=5).stderr
        assert "another command" in sampan("down", code=5).stderr
    sampan("lab", "stop", "node2", "engine")
    assert "engine of node2 does not run" in sampan("lab", "stop", "node2", "engine", code=3).stderr
    sampan("lab", "stop", "master")
    assert f"the master of lab {lab_name} does not run" in sampan("status", code=4).stderr


def test_apply_reports_its_changes_and_names_mistakes(
    lab_name: str, sampan: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    examples = SAMPAN.parent / "lab" / "examples"
    sampan("up", "--no-examples", "--nodes", "1")
    assert "service/my-service created" in sampan("apply", "-f", str(examples / "my-service.json")).stdout
    assert "service/my-service unchanged" in sampan("apply", "-f", str(examples / "my-service.json")).stdout
    changed = tmp_path / "changed.json"
    changed.write_text((examples / "my-service.json").read_text().replace("9376", "9378"))
    assert "service/my-service configured" in sampan("apply", "-f", str(changed)).stdout
    wrong = sampan("apply", "-f", str(examples / "misspelt.yaml"), code=1).stderr
    assert "document 1: Service" in wrong
    assert '"psec"' in wrong
    assert '"spec"' in wrong
    assert 'unknown field "spec.selector.matchLables", did you mean "matchLabels"?' in wrong
