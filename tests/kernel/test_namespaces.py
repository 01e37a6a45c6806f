"""Namespaces that disposable threads enter, links between namespaces, and how iproute2 sees both."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from netstack import namespaces, sysctl
from netstack.changes import AddBridge, AddVeth, DeleteRateLimit, SetAddress, SetLink, SetRateLimit
from netstack.errors import KernelBusy, NamespaceExists, NamespaceMissing, NotThere
from netstack.network import open_network
from netstack.state import Address
from tests.kernel.topology import Cluster

Make = Callable[[], str]


@contextmanager
def process_in_a_namespace() -> Iterator[int]:
    """A process in a namespace of its own, as a container is for the agent. Yields its pid."""
    process = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo ready; exec sleep 60"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_the_thread_of_the_caller_stays_in_its_namespace(new_namespace: Make) -> None:
    where, before = new_namespace(), namespaces.identity(None)
    inside = namespaces.run_in(where, lambda: (namespaces.identity(None), threading.get_ident()))
    assert inside[0] == namespaces.identity(where) != before
    assert inside[1] != threading.get_ident()
    assert namespaces.identity(None) == before


def test_a_namespace_is_given_by_name_path_pid_or_descriptor(new_namespace: Make) -> None:
    where = new_namespace()
    fd = namespaces.open_fd(where)
    try:
        assert namespaces.identity(namespaces.of_fd(fd)) == namespaces.identity(f"/run/netns/{where}")
    finally:
        os.close(fd)
    with process_in_a_namespace() as pid:
        assert namespaces.run_in(namespaces.of_pid(pid), socket.if_nameindex) == [(1, "lo")]


def test_names_are_unique_and_can_be_deleted(new_namespace: Make) -> None:
    where = new_namespace()
    assert where in namespaces.names()
    with pytest.raises(NamespaceExists):
        namespaces.create(where)
    namespaces.delete(where)
    namespaces.delete(where)
    assert where not in namespaces.names()
    with pytest.raises(NamespaceMissing):
        open_network(where)
    with pytest.raises(NamespaceMissing):
        open_network(namespaces.of_pid(2**22 + 1))


IP_NETNS_AFTER_OURS = """
import subprocess
from netstack import namespaces
namespaces.create("ours")
subprocess.run(["ip", "netns", "add", "theirs"], check=True)
namespaces.create("later")
for name in ("ours", "later"):
    namespaces.delete(name)
print(*namespaces.names())
"""


def test_our_names_can_be_deleted_after_a_use_of_ip_netns() -> None:
    """The first `ip netns` on a machine mounts the directory over itself, with all names in it. Runs
    in private mounts.
    """
    script = 'mount -t tmpfs none /run && mkdir /run/netns && exec "$@"'
    python = [sys.executable, "-c", IP_NETNS_AFTER_OURS]
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-e", "-c", script, "sh", *python],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("theirs\n", "")


def test_errors_inside_come_out(new_namespace: Make) -> None:
    with pytest.raises(ZeroDivisionError):
        namespaces.run_in(new_namespace(), lambda: 1 // 0)


def test_sysctls_belong_to_the_namespace(new_namespace: Make) -> None:
    where, own = new_namespace(), sysctl.read(None, "net/ipv4/ip_forward")
    assert sysctl.write(where, {"net/ipv4/ip_forward": "1"}) == ("net/ipv4/ip_forward",)
    assert sysctl.write(where, {"net/ipv4/ip_forward": "1"}) == ()
    assert sysctl.read(None, "net/ipv4/ip_forward") == own
    with pytest.raises(NotThere):
        sysctl.read(where, "net/ipv4/no_such_thing")


def test_a_socket_stays_in_its_namespace_on_any_thread(new_namespace: Make) -> None:
    where = new_namespace()
    with open_network(where) as network:
        network.change([AddBridge("br0")])
        names: list[str] = []
        thread = threading.Thread(target=lambda: names.extend(link.name for link in network.links()))
        thread.start()
        thread.join()
    assert names == ["lo", "br0"]


async def test_a_network_works_beside_a_running_event_loop(new_namespace: Make) -> None:
    with open_network(new_namespace()) as network:
        network.change([AddBridge("br0")])
        assert [link.name for link in await asyncio.to_thread(network.links)] == ["lo", "br0"]
        assert network.link("br0") == network.links()[1]


def test_closing_leaves_no_thread_and_no_descriptor(new_namespace: Make) -> None:
    where = new_namespace()
    open_network(where).close()
    threads, descriptors = threading.active_count(), _descriptors()
    network = open_network(where)
    assert network.addresses()
    network.close()
    network.close()
    assert threading.active_count() == threads
    assert _descriptors() == descriptors
    with pytest.raises(OSError):
        network.links()


def test_a_socket_that_failed_is_replaced(new_namespace: Make) -> None:
    with open_network(new_namespace()) as network:

        async def fail(route: object) -> None:
            raise ConnectionResetError

        with pytest.raises(KernelBusy):
            network._connection.run(fail)
        network.change([AddBridge("br0")])
        assert network.link("br0") is not None


def test_iproute2_reads_what_we_wrote(new_namespace: Make) -> None:
    where, peer = new_namespace(), new_namespace()
    with open_network(where) as network:
        network.change(
            [
                AddBridge("br0", mtu=1400),
                AddVeth("v0", "eth0", peer, mtu=1400, mac="02:00:00:00:00:07"),
                SetLink("v0", master="br0"),
                SetAddress(Address("br0", IPv4Interface("10.1.0.1/24"))),
                SetRateLimit("v0", rate_bytes=125_000, burst_bytes=15_000, queue_bytes=30_000),
            ]
        )
        observed = _iproute2(where)
        assert observed["links"]["v0"] == ["veth", "02:00:00:00:00:07", 1400, "UP"]
        assert observed["links"]["br0"][0] == "bridge"
        assert observed["addresses"] == {"br0": "10.1.0.1/24", "lo": "127.0.0.1/8"}
        assert observed["qdiscs"]["v0"] == "tbf"
        network.change([DeleteRateLimit("v0"), DeleteRateLimit("v0")])
        assert _iproute2(where)["qdiscs"]["v0"] != "tbf"


def test_a_pod_is_attached_by_pid_and_its_link_ends_with_it(pair: Cluster) -> None:
    a = pair.nodes["a"]
    with process_in_a_namespace() as pid:
        address = a.network.attach_pod("by-pid", pid)
        pair.responder(pid, 8080, name="by-pid")
        assert pair.ask(a.where, address, 8080).server == "by-pid"
    a.network.apply(pair.state_of(a))
    assert a.network.audit() == (), "a link that ended with its sandbox is not drift"
    assert a.network.pods() == {"by-pid": address}
    a.network.release_pod("by-pid")
    assert a.network.pods() == {}


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _iproute2(where: str) -> dict[str, dict[str, list[object] | str]]:
    def ask(*command: str) -> list[dict[str, Any]]:
        entered = ["nsenter", f"--net={namespaces.path_of(where)}", *command]
        done = subprocess.run(entered, capture_output=True, text=True, check=True)
        output: list[dict[str, Any]] = json.loads(done.stdout)
        return output

    links = ask("ip", "-json", "-details", "address")
    return {
        "links": {
            link["ifname"]: [
                link.get("linkinfo", {}).get("info_kind"),
                link["address"],
                link["mtu"],
                "UP" if "UP" in link["flags"] else "DOWN",
            ]
            for link in links
        },
        "addresses": {
            link["ifname"]: f"{address['local']}/{address['prefixlen']}"
            for link in links
            for address in link["addr_info"]
            if address["family"] == "inet"
        },
        "qdiscs": {entry["dev"]: entry["kind"] for entry in ask("tc", "-json", "qdisc")},
    }
