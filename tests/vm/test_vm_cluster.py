"""Debian 12 and 13 as one cluster, with kernels of their own: cgroup v2, nft, hangs, loss of power, reboots.

The tests share the machines and run in this order: later tests disturb more.
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
from tests.vm.share import Share

_NODE_PORT: Final = 31080
_PYTHONS: Final = {"debian12": "3.11", "debian13": "3.13"}


@pytest.fixture(scope="module")
def steady(cluster: VmCluster) -> Iterator[list[Document]]:
    """A pod on each node, which run during all tests, and a service for both."""
    with cluster.step("a pod on each node"):
        for host in cluster.hosts:
            cluster.create(PODS, a_pod(f"steady-{host.name}", host.name, {"app": "steady"}))
        cluster.create(SERVICES, _service("steady", {"app": "steady"}, 31079))
        yield cluster.wait_ready(2, app="steady")


def test_the_hosts_have_the_expected_releases_and_cgroup_v2(cluster: VmCluster) -> None:
    for name, python in cluster.on_both(lambda host: host.output("python3", "--version")).items():
        assert python.startswith(f"Python {_PYTHONS[name]}.")
    kernels = cluster.on_both(lambda host: host.output("uname", "-r"))
    assert len(set(kernels.values())) == 2 and all(kernel.endswith("-cloud-amd64") for kernel in kernels.values())
    for host in cluster.hosts:
        assert host.output("stat", "-f", "-c", "%T", "/sys/fs/cgroup") == "cgroup2fs"
        assert host.output("docker", "info", "--format", "{{.CgroupDriver}} {{.CgroupVersion}}") == "systemd 2"
        # No Internet: everything that was installed was in the bundle.
        assert host.run("ping", "-c", "1", "-W", "2", "192.0.2.1", check=False).returncode != 0


def test_the_preflight_has_no_errors_on_these_hosts(cluster: VmCluster) -> None:
    assert set(cluster.before) == {"debian12", "debian13"}
    for name, before in cluster.before.items():
        assert [finding for finding in before if finding["severity"] == "error"] == [], name
        ids = {finding["id"] for finding in before}
        assert "ip-forward" in ids, "forwarding was off at that time"
        # Cgroup v2 with all controllers and the systemd driver gives no finding.
        assert not ids & {"cgroup", "cgroup-controllers", "cgroup-driver", "iptables-variant"}, before
    for host in cluster.hosts:
        assert host.output("cat", "/proc/sys/net/ipv4/ip_forward") == "1", "the agent switches it on"
        assert [finding for finding in findings(host) if finding["severity"] == "error"] == []


def test_pods_reach_each_other_directly_and_through_a_service(cluster: VmCluster, steady: list[Document]) -> None:
    first, second = steady
    assert first["spec"]["nodeName"] != second["spec"]["nodeName"]
    for client, server in ((first, second), (second, first)):
        answer = cluster.fetch_in(client, server["status"]["podIP"])
        assert answer["pod"] == server["metadata"]["name"]
        assert answer["client"].endswith(client["status"]["podIP"]), "from the pod's own address"

    address = cluster.get(f"{SERVICES}/steady")["spec"]["clusterIP"]
    names = {pod["metadata"]["name"] for pod in steady}
    for pod in steady:
        _reaches_all(names, partial(cluster.fetch_in, pod, address, 80))
    for host in cluster.hosts:
        _reaches_all(names, partial(cluster.fetch, str(host.address), 31079))
    # From a host to a pod on the other host.
    other = next(pod for pod in steady if pod["spec"]["nodeName"] == cluster.node.name)
    page = cluster.master.output("curl", "-sS", "-m", "30", f"http://{other['status']['podIP']}:{WEB_PORT}/")
    assert f"pod: {other['metadata']['name']}" in page


def test_the_rules_are_in_nft_and_the_overlay_is_a_vxlan_link(cluster: VmCluster, steady: list[Document]) -> None:
    for host in cluster.hosts:
        assert "SAMPAN-SERVICES" in host.output("iptables-nft-save", "-t", "nat")
        assert host.shell("cat /proc/net/ip_tables_names || true").stdout == "", "the legacy tables are not used"
        assert "id 1 " in host.output("ip", "-d", "link", "show", "sampan.vxlan").replace("\n", " ")


def test_limits_are_set_in_systemd_s_cgroups(cluster: VmCluster, steady: list[Document]) -> None:
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
        assert host.output("cat", f"{group}/memory.max") == str(64 << 20)
        assert host.output("cat", f"{group}/cpu.max") == "50000 100000"

    def killed() -> bool:
        pods = cluster.pods(app="hungry")
        ended = [pod["status"]["containerStatuses"][0]["state"].get("terminated", {}) for pod in pods
                 if pod["status"].get("containerStatuses")]  # fmt: skip
        assert [state.get("reason") for state in ended] == ["OOMKilled"] * 2, [summary(pod) for pod in pods]
        return True

    assert in_time(killed)
    for kind in ("limited", "hungry"):
        for host in cluster.hosts:
            cluster.delete(f"{PODS}/{kind}-{host.name}")
    in_time(lambda: len(cluster.pods()) == 2)


def test_an_agent_that_is_killed_or_hangs_is_restarted_without_its_containers(
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
        journal = host.journal("sampan-agent", lines=400)
        assert "Watchdog timeout" in journal
        assert re.search(r"[Tt]hread .* \(most recent call first\)", journal), "no traceback of the hang"
        _wait_node(cluster, host)
    assert cluster.on_both(containers) == before
    assert [ready(pod) for pod in cluster.pods(app="steady")] == [True, True]


def test_a_share_that_hangs_stops_only_the_pods_that_need_it(cluster: VmCluster, steady: list[Document]) -> None:
    with cluster.step("a pod with a share"):
        share = Share(cluster.master)
        mounts = [
            {"name": "data", "mountPath": "/data"},
            {"name": "data", "mountPath": "/part", "subPath": "parts/one"},
        ]
        _create_on_node(cluster, "sharer", mounts, [share.volume("data")])
        (sharer,) = cluster.wait_ready(1, app="sharer")
        script = "echo -n kept > /part/file; cat /data/parts/one/file"
        assert cluster.node.output("docker", "exec", container_of(sharer), "sh", "-c", script) == "kept"
        assert share.read("parts/one/file") == "kept"
    with share.hangs():
        with cluster.step("the server hangs: its pods wait, and others run"):
            for number in range(3):
                _create_on_node(cluster, f"late-{number}", mounts[:1], [share.volume("data")])
            other = [{"name": "data", "mountPath": "/data", "subPath": "x"}]
            _create_on_node(cluster, "other", other, [{"name": "data", "hostPath": {"path": "/srv/other"}}])
            cluster.wait_ready(1, app="other")
            in_time(lambda: share.name in "".join(_messages(cluster, "FailedMount")))
            assert cluster.is_ready(f"/api/v1/nodes/{cluster.node.name}")
        with cluster.step("a pod is removed without its server"):
            for name in ("sharer", "late-0", "other"):
                cluster.delete(f"{PODS}/{name}")
            in_time(lambda: not any(cluster.pods(app=name) for name in ("sharer", "late-0", "other")))
    with cluster.step("the server is back"):
        for name in ("late-1", "late-2"):
            cluster.wait_ready(1, app=name)
            cluster.delete(f"{PODS}/{name}")
        in_time(lambda: len(cluster.pods()) == 2)
        assert "nfs" not in cluster.node.output("cat", "/proc/self/mounts").replace("nfsd", "")
    share.stop()


def test_a_rolling_update_ends_after_a_node_lost_its_power(cluster: VmCluster, steady: list[Document]) -> None:
    with cluster.step("four pods of the old controller"):
        cluster.create(SERVICES, _service("rolling", {"app": "rolling"}, _NODE_PORT))
        cluster.create(CONTROLLERS, controller("old", 4, {"app": "rolling", "version": "old"}))
        before = cluster.wait_ready(4, app="rolling")
    assert {pod["spec"]["nodeName"] for pod in before} == {"debian12", "debian13"}
    on_master = containers(cluster.master)

    cluster.create(CONTROLLERS, controller("new", 4, {"app": "rolling", "version": "new"}))
    cluster.scale("old", 2)
    in_time(lambda: any(pod["spec"].get("nodeName") == "debian12" for pod in cluster.pods(version="new")))
    with cluster.step("power lost during the update"):
        cluster.node.cut_power()
        cluster.scale("old", 0)
        cluster.node.start()
        cluster.node.wait_running()
        after = cluster.wait_ready(4, app="rolling", version="new")
    with cluster.step("no old pod is left"):
        in_time(lambda: not cluster.pods(version="old"))
    _assert_no_doubles(cluster)
    assert {*_steady(on_master, cluster, steady)} <= {*containers(cluster.master)}, (
        "containers on the other node were not restarted"
    )

    names = {pod["metadata"]["name"] for pod in after}
    for host in cluster.hosts:
        _reaches_all(names, partial(cluster.fetch, str(host.address), _NODE_PORT))
    for name in ("old", "new"):
        cluster.scale(name, 0)
    in_time(lambda: not cluster.pods(app="rolling"))


def test_pods_are_back_after_a_reboot_of_their_nodes_without_the_master(
    cluster: VmCluster, steady: list[Document]
) -> None:
    uids = sorted(pod["metadata"]["uid"] for pod in steady)
    before = cluster.on_both(containers)
    for role, host in (("agent", cluster.node), ("agent", cluster.master), ("master", cluster.master)):
        assert host.output("systemctl", "is-enabled", f"sampan-{role}") == "enabled"
    cluster.master.run("systemctl", "disable", "sampan-master")
    try:
        with cluster.step("both machines reboot without the master"):
            cluster.on_both(lambda host: host.reboot())
        with cluster.step("their pods are back"):
            in_time(lambda: all(len(running) == 2 for running in cluster.on_both(containers).values()))
        assert not is_active(cluster.master, "master")
        for host in cluster.hosts:
            assert not {*containers(host)} & {*before[host.name]}, "the containers were started after the reboot"
    finally:
        cluster.master.run("systemctl", "enable", "--now", "sampan-master")
    with cluster.step("the master is back"):
        in_time(lambda: _restarted(cluster))
        for host in cluster.hosts:
            _wait_node(cluster, host)
        first, second = cluster.wait_ready(2, app="steady")
    assert sorted(pod["metadata"]["uid"] for pod in (first, second)) == uids, "the same pods, not replacements"
    _assert_no_doubles(cluster)
    assert cluster.fetch_in(first, second["status"]["podIP"])["pod"] == second["metadata"]["name"]
    assert cluster.fetch_in(second, first["status"]["podIP"])["pod"] == first["metadata"]["name"]


def test_leaving_and_uninstalling_remove_everything(cluster: VmCluster, steady: list[Document]) -> None:
    with cluster.step("leave and uninstall"):
        cluster.node.run("sampan", "leave")
        assert containers(cluster.node, "--all") == []
        cluster.node.run("sampan", "uninstall", "--purge")
    assert "SAMPAN" not in cluster.node.output("iptables-nft-save")
    links = cluster.node.output("ip", "-o", "link")
    assert "sampan" not in links and ": sp" not in links
    for path in ("/opt/sampan", "/etc/sampan", "/var/lib/sampan", "/usr/local/bin/sampan"):
        assert not cluster.node.exists(path), path


def _create_on_node(cluster: VmCluster, name: str, mounts: list[Document], volumes: list[Document]) -> None:
    pod = a_pod(name, cluster.node.name, {"app": name}, web(volumeMounts=mounts), volumes=volumes)
    pod["spec"]["terminationGracePeriodSeconds"] = 1
    cluster.create(PODS, pod)


def _messages(cluster: VmCluster, reason: str) -> list[str]:
    """The messages of the events with this reason."""
    events = cluster.get("/api/v1/namespaces/default/events")["items"]
    return [event["message"] for event in events if event["reason"] == reason]


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


def _reaches_all(names: set[str], fetch: Callable[[], dict[str, str]]) -> None:
    """Each request is answered by one of these pods, and eventually each of them has answered."""
    seen: set[str] = set()

    def look() -> bool:
        server = fetch().get("pod", "")
        if server not in names:
            raise LookupError(f"answered by {server or 'no pod'} instead of one of {names}")
        seen.add(server)
        return seen == names

    eventually(look, within_s=SLOW_S)


def _wait_other_agent(host: VirtualMachine, pid: int) -> None:
    """Wait until an agent with another pid is active."""
    in_time(lambda: process_of(host, "agent") not in (0, pid) and is_active(host, "agent"))


def _wait_node(cluster: VmCluster, host: VirtualMachine) -> None:
    """Wait until the API reports the host's node as Ready."""
    in_time(lambda: cluster.is_ready(f"/api/v1/nodes/{host.name}"))


def _assert_no_doubles(cluster: VmCluster) -> None:
    """Wait until each host runs exactly one sandbox and one container for each of its pods, with distinct addresses."""

    def look() -> bool:
        for host in cluster.hosts:
            pods = [pod for pod in cluster.pods() if pod["spec"].get("nodeName") == host.name]
            expected = sorted(f"{pod['metadata']['uid']}_{name}" for pod in pods for name in ("POD", "main"))
            running = sorted(line.split()[0].removeprefix("/sampan_").rpartition("_")[0] for line in containers(host))
            assert running == expected, (host.name, running, [summary(pod) for pod in pods])
        addresses = [pod["status"].get("podIP") for pod in cluster.pods()]
        assert len(set(addresses)) == len(addresses), addresses
        return True

    in_time(look)


def _steady(lines: list[str], cluster: VmCluster, steady: list[Document]) -> Iterator[str]:
    """The containers of the steady pod on the master's host, out of these."""
    (uid,) = (pod["metadata"]["uid"] for pod in steady if pod["spec"]["nodeName"] == cluster.master.name)
    return (line for line in lines if uid in line)


def _restarted(cluster: VmCluster) -> bool:
    """Whether the API reports, for each steady pod, the container that runs now."""
    running = [line for lines in cluster.on_both(containers).values() for line in lines]
    try:
        pods = cluster.pods(app="steady")
    except ClientError:
        return False
    return all(any(container_of(pod) in line for line in running) for pod in pods)
