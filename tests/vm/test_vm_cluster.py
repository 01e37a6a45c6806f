"""Debian 12 and 13 as one cluster: kernels and control groups of their own, nft, hangs, hard resets, reboots.

The tests share the machines and run in this order: what comes later disturbs more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import pytest

from client.errors import ClientError
from netrig.plugin import eventually
from tests.machine.hosts import is_active, process_of
from tests.vm.api import (
    CONTROLLERS,
    PODS,
    SERVICES,
    SLOW_S,
    WEB_PORT,
    Document,
    container_of,
    controller,
    in_time,
    ready,
    summary,
    web,
)
from tests.vm.api import pod as a_pod
from tests.vm.bed import VirtualMachine
from tests.vm.cluster import VmCluster, containers, findings

_NODE_PORT: Final = 31080
_PYTHONS: Final = {"debian12": "3.11", "debian13": "3.13"}


@pytest.fixture(scope="module")
def steady(cluster: VmCluster) -> Iterator[list[Document]]:
    """A pod on each node, which stay through all tests, and a service of both."""
    with cluster.step("a pod on each node"):
        for host in cluster.hosts:
            cluster.create(PODS, a_pod(f"steady-{host.name}", host.name, {"app": "steady"}))
        cluster.create(SERVICES, _service("steady", {"app": "steady"}, 31079))
        yield cluster.wait_ready(2, app="steady")


def test_the_hosts_are_what_they_shall_be(cluster: VmCluster) -> None:
    for name, python in cluster.on_both(lambda host: host.says("python3", "--version")).items():
        assert python.startswith(f"Python {_PYTHONS[name]}.")
    kernels = cluster.on_both(lambda host: host.says("uname", "-r"))
    assert len(set(kernels.values())) == 2 and all(kernel.endswith("-cloud-amd64") for kernel in kernels.values())
    for host in cluster.hosts:
        assert host.says("stat", "-f", "-c", "%T", "/sys/fs/cgroup") == "cgroup2fs"
        assert host.says("docker", "info", "--format", "{{.CgroupDriver}} {{.CgroupVersion}}") == "systemd 2"
        # Nothing leads out: what was installed was in the bundle.
        assert host.run("ping", "-c", "1", "-W", "2", "192.0.2.1", check=False).returncode != 0


def test_the_preflight_knows_these_hosts(cluster: VmCluster) -> None:
    assert set(cluster.before) == {"debian12", "debian13"}
    for name, found in cluster.before.items():
        assert [each for each in found if each["severity"] == "error"] == [], name
        ids = {each["id"] for each in found}
        assert "ip-forward" in ids, "it was off when we looked"
        # Version 2, with all controllers, written through systemd: nothing to say about it.
        assert not ids & {"cgroup", "cgroup-controllers", "cgroup-driver", "iptables-variant"}, found
    for host in cluster.hosts:
        assert host.says("cat", "/proc/sys/net/ipv4/ip_forward") == "1", "the agent turns it on"
        assert [each for each in findings(host) if each["severity"] == "error"] == []


def test_packets_cross_between_pods_and_through_a_service(cluster: VmCluster, steady: list[Document]) -> None:
    first, second = steady
    assert first["spec"]["nodeName"] != second["spec"]["nodeName"]
    for client, server in ((first, second), (second, first)):
        said = cluster.fetch_in(client, server["status"]["podIP"])
        assert said["pod"] == server["metadata"]["name"]
        assert said["client"].endswith(client["status"]["podIP"]), "by the pod's own address"

    address = cluster.get(f"{SERVICES}/steady")["spec"]["clusterIP"]
    names = {pod["metadata"]["name"] for pod in steady}
    for pod in steady:
        _reaches_all(names, partial(cluster.fetch_in, pod, address, 80))
    for host in cluster.hosts:
        _reaches_all(names, partial(cluster.fetch, str(host.address), 31079))
    # A pod's host speaks to the other host's pod.
    other = next(pod for pod in steady if pod["spec"]["nodeName"] == cluster.node.name)
    page = cluster.master.says("curl", "-sS", "-m", "30", f"http://{other['status']['podIP']}:{WEB_PORT}/")
    assert f"pod: {other['metadata']['name']}" in page


def test_the_rules_are_nft_s_and_the_overlay_is_the_kernel_s(cluster: VmCluster, steady: list[Document]) -> None:
    for host in cluster.hosts:
        assert "SAMPAN-SERVICES" in host.says("iptables-nft-save", "-t", "nat")
        assert host.shell("cat /proc/net/ip_tables_names || true").stdout == "", "nobody uses the legacy tables"
        assert "id 1 " in host.says("ip", "-d", "link", "show", "sampan.vxlan").replace("\n", " ")


def test_limits_bind_through_systemd_s_control_groups(cluster: VmCluster, steady: list[Document]) -> None:
    for host in cluster.hosts:
        limited = web(name="main", resources={"limits": {"memory": "64Mi", "cpu": "500m"}})
        cluster.create(PODS, a_pod(f"limited-{host.name}", host.name, {"app": "limited"}, limited))
        hungry = web(
            command=["/bin/busybox", "sh", "-c", "x=a; while :; do x=$x$x; done"],
            resources={"limits": {"memory": "16Mi"}},
        )
        cluster.create(PODS, a_pod(f"hungry-{host.name}", host.name, {"app": "hungry"}, hungry, restart="Never"))
    for pod in cluster.wait_ready(2, app="limited"):
        host = _host_of(cluster, pod)
        group = f"/sys/fs/cgroup/system.slice/docker-{container_of(pod)}.scope"
        assert host.says("cat", f"{group}/memory.max") == str(64 << 20)
        assert host.says("cat", f"{group}/cpu.max") == "50000 100000"

    def killed() -> bool:
        found = cluster.pods(app="hungry")
        ended = [pod["status"]["containerStatuses"][0]["state"].get("terminated", {}) for pod in found
                 if pod["status"].get("containerStatuses")]  # fmt: skip
        assert [each.get("reason") for each in ended] == ["OOMKilled"] * 2, [summary(pod) for pod in found]
        return True

    assert in_time(killed)
    for kind in ("limited", "hungry"):
        for host in cluster.hosts:
            cluster.delete(f"{PODS}/{kind}-{host.name}")
    in_time(lambda: len(cluster.pods()) == 2)


def test_an_agent_that_is_killed_or_hangs_comes_back_and_no_container_notices(
    cluster: VmCluster, steady: list[Document]
) -> None:
    before = cluster.on_both(containers)
    with cluster.step("agents killed"):
        killed = cluster.on_both(lambda host: process_of(host, "agent"))
        cluster.on_both(lambda host: host.run("kill", "-9", str(killed[host.name])))
        cluster.on_both(lambda host: _wait_other_agent(host, killed[host.name]))
    with cluster.step("agents hang, and the watchdog ends them"):
        hung = cluster.on_both(lambda host: process_of(host, "agent"))
        cluster.on_both(lambda host: host.run("kill", "-STOP", str(hung[host.name])))
        cluster.on_both(lambda host: _wait_other_agent(host, hung[host.name]))
    for host in cluster.hosts:
        said = host.journal("sampan-agent", lines=400)
        assert "Watchdog timeout" in said
        assert re.search(r"[Tt]hread .* \(most recent call first\)", said), "it does not tell where it hung"
        _wait_node(cluster, host)
    assert cluster.on_both(containers) == before
    assert [ready(pod) for pod in cluster.pods(app="steady")] == [True, True]


def test_a_node_that_loses_its_power_in_a_rolling_change_converges(cluster: VmCluster, steady: list[Document]) -> None:
    with cluster.step("four pods of the old controller"):
        cluster.create(SERVICES, _service("rolling", {"app": "rolling"}, _NODE_PORT))
        cluster.create(CONTROLLERS, controller("old", 4, {"app": "rolling", "version": "old"}))
        before = cluster.wait_ready(4, app="rolling")
    assert {pod["spec"]["nodeName"] for pod in before} == {"debian12", "debian13"}
    staying = containers(cluster.master)

    cluster.create(CONTROLLERS, controller("new", 4, {"app": "rolling", "version": "new"}))
    cluster.scale("old", 2)
    in_time(lambda: any(pod["spec"].get("nodeName") == "debian12" for pod in cluster.pods(version="new")))
    with cluster.step("power lost, and the change goes on"):
        cluster.node.cut_power()
        cluster.scale("old", 0)
        cluster.node.start()
        cluster.node.wait_running()
        after = cluster.wait_ready(4, app="rolling", version="new")
    with cluster.step("nothing of the old is left"):
        in_time(lambda: not cluster.pods(version="old"))
    _assert_no_doubles(cluster)
    assert {*_steady(staying, cluster, steady)} <= {*containers(cluster.master)}, "the other node noticed nothing"

    names = {pod["metadata"]["name"] for pod in after}
    for host in cluster.hosts:
        _reaches_all(names, partial(cluster.fetch, str(host.address), _NODE_PORT))
    for name in ("old", "new"):
        cluster.scale(name, 0)
    in_time(lambda: not cluster.pods(app="rolling"))


def test_pods_come_back_after_a_reboot_of_their_nodes_also_without_a_master(
    cluster: VmCluster, steady: list[Document]
) -> None:
    uids = sorted(pod["metadata"]["uid"] for pod in steady)
    before = cluster.on_both(containers)
    for role, host in (("agent", cluster.node), ("agent", cluster.master), ("master", cluster.master)):
        assert host.says("systemctl", "is-enabled", f"sampan-{role}") == "enabled"
    cluster.master.run("systemctl", "disable", "sampan-master")
    try:
        with cluster.step("both machines reboot, and no master comes"):
            cluster.on_both(lambda host: host.reboot())
        with cluster.step("their pods are back"):
            in_time(lambda: all(len(running) == 2 for running in cluster.on_both(containers).values()))
        assert not is_active(cluster.master, "master")
        for host in cluster.hosts:
            assert not {*containers(host)} & {*before[host.name]}, "they are of this boot"
    finally:
        cluster.master.run("systemctl", "enable", "--now", "sampan-master")
    with cluster.step("the master is back"):
        in_time(lambda: _restarted(cluster))
        for host in cluster.hosts:
            _wait_node(cluster, host)
        first, second = cluster.wait_ready(2, app="steady")
    assert sorted(pod["metadata"]["uid"] for pod in (first, second)) == uids, "the same pods, not others in their place"
    _assert_no_doubles(cluster)
    assert cluster.fetch_in(first, second["status"]["podIP"])["pod"] == second["metadata"]["name"]
    assert cluster.fetch_in(second, first["status"]["podIP"])["pod"] == first["metadata"]["name"]


def test_leaving_and_uninstalling_take_everything_away(cluster: VmCluster, steady: list[Document]) -> None:
    with cluster.step("leave and uninstall"):
        cluster.node.run("sampan", "leave")
        assert containers(cluster.node, "--all") == []
        cluster.node.run("sampan", "uninstall", "--purge")
    assert "SAMPAN" not in cluster.node.says("iptables-nft-save")
    links = cluster.node.says("ip", "-o", "link")
    assert "sampan" not in links and ": sp" not in links
    for path in ("/opt/sampan", "/etc/sampan", "/var/lib/sampan", "/usr/local/bin/sampan"):
        assert not cluster.node.exists(path), path


def _service(name: str, selector: dict[str, str], node_port: int) -> Document:
    port = {"port": 80, "targetPort": WEB_PORT, "nodePort": node_port}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"type": "NodePort", "selector": selector, "ports": [port]},
    }


def _host_of(cluster: VmCluster, pod: Document) -> VirtualMachine:
    return next(host for host in cluster.hosts if host.name == pod["spec"]["nodeName"])


def _reaches_all(names: set[str], ask: Callable[[], dict[str, str]]) -> None:
    """Each question is answered by one of these pods, and in the end each of them has answered."""
    seen: set[str] = set()

    def look() -> bool:
        answer = ask().get("pod", "")
        if answer not in names:
            raise LookupError(f"answered by {answer or 'nobody'} instead of one of {names}")
        seen.add(answer)
        return seen == names

    eventually(look, within_s=SLOW_S)


def _wait_other_agent(host: VirtualMachine, pid: int) -> None:
    """Until an agent that is not this one says that it is up."""
    in_time(lambda: process_of(host, "agent") not in (0, pid) and is_active(host, "agent"))


def _wait_node(cluster: VmCluster, host: VirtualMachine) -> None:
    """Until the API answers and has its node as Ready."""
    in_time(lambda: cluster.is_ready(f"/api/v1/nodes/{host.name}"))


def _assert_no_doubles(cluster: VmCluster) -> None:
    """On each host: for each of its pods one sandbox and one container that run, and nothing else."""

    def look() -> bool:
        for host in cluster.hosts:
            pods = [pod for pod in cluster.pods() if pod["spec"].get("nodeName") == host.name]
            wanted = sorted(f"{pod['metadata']['uid']}_{name}" for pod in pods for name in ("POD", "main"))
            running = sorted(line.split()[0].removeprefix("/sampan_").rpartition("_")[0] for line in containers(host))
            assert running == wanted, (host.name, running, [summary(pod) for pod in pods])
        addresses = [pod["status"].get("podIP") for pod in cluster.pods()]
        assert len(set(addresses)) == len(addresses), addresses
        return True

    in_time(look)


def _steady(lines: list[str], cluster: VmCluster, steady: list[Document]) -> Iterator[str]:
    """Of these containers those of the steady pod of the master's host."""
    (uid,) = (pod["metadata"]["uid"] for pod in steady if pod["spec"]["nodeName"] == cluster.master.name)
    return (line for line in lines if uid in line)


def _restarted(cluster: VmCluster) -> bool:
    """Whether the API knows of each steady pod the container that runs now."""
    running = [line for lines in cluster.on_both(containers).values() for line in lines]
    try:
        pods = cluster.pods(app="steady")
    except ClientError:
        return False
    return all(any(container_of(pod) in line for line in running) for pod in pods)
