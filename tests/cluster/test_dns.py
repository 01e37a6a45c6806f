"""Names in pods of a real cluster. The resolver is glibc's: redis-cli in a container, and getent in a pod's network."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Thread
from typing import Any

import pytest

from hull import atomicfile
from lab import faults
from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from netstack import namespaces
from netstack.dns.message import Message, Question, Record, Type, decode, encode
from netstack.dns.names import name_of
from tests.cluster.manifests import container_id, pod, service, shell_in
from tests.hosts import engine_of

pytestmark = pytest.mark.cluster
DNS = "10.96.0.10"
OUTSIDE, OUTSIDE_ADDRESS = "www.example.com", "192.0.2.80"


_NOT_FOUND = 2
"""The code of getent(1)."""


class Inside:
    """The resolver in a running pod."""

    def __init__(self, cluster: Cluster, kubectl: Kubectl, app: str) -> None:
        container = eventually(lambda: container_id(kubectl, f"app={app}"))
        assert container is not None
        self.node, self.container = container
        with engine_of(cluster, self.node) as engine:
            self.pid: int = engine.inspect_container(self.container)["State"]["Pid"]

    def file(self, name: str) -> str:
        return Path(f"/proc/{self.pid}/root/etc/{name}").read_text()

    def addresses(self, name: str) -> set[str]:
        """What getaddrinfo(3) finds with the pod's network and its resolv.conf; nothing if that is an error."""
        with NamedTemporaryFile("w") as copy:  # a file of another mount namespace cannot be mounted
            copy.write(self.file("resolv.conf"))
            copy.flush()
            bound = f"mount --bind {copy.name} /etc/resolv.conf || exit 9; exec getent ahostsv4 {name}"
            command = ["nsenter", f"--net=/proc/{self.pid}/ns/net", "unshare", "--mount", "/bin/sh", "-c", bound]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode in (0, _NOT_FOUND), done.stderr
        return {line.split()[0] for line in done.stdout.splitlines()}

    def records(self, name: str, kind: Type) -> tuple[Record, ...]:
        """The records of an answer of cluster DNS."""
        return records(namespaces.of_pid(self.pid), name, kind)


def records(where: str, name: str, kind: Type) -> tuple[Record, ...]:
    """The records of an answer of cluster DNS to a program in this network namespace."""
    with namespaces.run_in(where, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.settimeout(10)
        client.connect((DNS, 53))
        client.send(encode(Message(7, (Question(name_of(name), kind),))))
        return decode(client.recv(4096)).answers


def field(kubectl: Kubectl, what: str, path: str) -> str:
    return kubectl("get", *what.split(), "-o", f"jsonpath={path}")


def test_a_pod_reaches_a_service_by_its_short_name(cluster: Cluster, kubectl: Kubectl) -> None:
    """By an unmodified program in its container."""
    redis = {"image": "kubeguide/redis-master"}
    kubectl.create(
        pod("redis", labels={"app": "redis"}, container=redis, nodeName="node2"),
        pod("client", labels={"app": "client"}, container=redis, nodeName="node1"),
        service("store", app="redis", ports=[{"port": 6379}]),
    )
    client = Inside(cluster, kubectl, "client")
    ask = "redis-cli -h store -p 6379 ping 2>&1 || true"
    eventually(lambda: shell_in(cluster, client.node, client.container, ask).strip() == "PONG")


def test_the_names_of_services_by_the_search_path(cluster: Cluster, kubectl: Kubectl, namespace: str) -> None:
    kubectl.create(pod("web", labels={"app": "web"}), service("front", app="web"))
    web, address = Inside(cluster, kubectl, "web"), field(kubectl, "service front", "{.spec.clusterIP}")
    names = ["front", f"front.{namespace}", f"front.{namespace}.svc", f"front.{namespace}.svc.cluster.local."]
    for name in names:
        eventually(lambda name=name: web.addresses(name) == {address}, message=name)
    assert web.addresses("kubernetes.default") == {"10.96.0.1"}
    assert web.addresses("missing") == set()
    [of_the_node] = records(cluster.host("node1").where, "kubernetes.default.svc.cluster.local", Type.A)
    assert of_the_node.data == socket.inet_aton("10.96.0.1")
    kubectl("delete", "service", "front")
    eventually(lambda: web.addresses("front") == set())


def test_the_endpoints_of_a_headless_service_have_names(cluster: Cluster, kubectl: Kubectl, namespace: str) -> None:
    for number in range(2):
        kubectl.create(
            pod(f"db-{number}", labels={"app": "db", "member": str(number)}, hostname=f"db-{number}", subdomain="db")
        )
    ports = [{"name": "http", "port": 8080}]
    kubectl.create(service("db", app="db", clusterIP="None", ports=ports))
    inside = Inside(cluster, kubectl, "db")
    own = [eventually(lambda n=n: field(kubectl, f"pod db-{n}", "{.status.podIP}")) for n in range(2)]
    eventually(lambda: inside.addresses("db") == set(own))
    for number, address in enumerate(own):
        assert inside.addresses(f"db-{number}.db") == {address}
    domain = f"db.{namespace}.svc.cluster.local"
    targets = {record.data[6:] for record in inside.records(f"_http._tcp.{domain}", Type.SRV)}
    assert targets == {b"".join(_label(label) for label in (f"db-{n}.{domain}").split(".")) + b"\0" for n in range(2)}
    reverse = ".".join(reversed(own[0].split("."))) + ".in-addr.arpa"
    assert [record.type for record in inside.records(reverse, Type.PTR)] == [Type.PTR]
    assert inside.addresses(f"{own[0].replace('.', '-')}.{namespace}.pod.cluster.local") == {own[0]}
    first = Inside(cluster, kubectl, "db,member=0")
    assert f"{own[0]}\tdb-0.{domain}\tdb-0\n" in first.file("hosts")


def _label(text: str) -> bytes:
    return bytes((len(text),)) + text.encode()


def test_policies_of_pods(cluster: Cluster, kubectl: Kubectl, namespace: str) -> None:
    config: dict[str, Any] = {
        "nameservers": ["192.0.2.53"],
        "searches": ["own.example"],
        "options": [{"name": "ndots", "value": "1"}],
    }
    long = {"subdomain": "sub", "setHostnameAsFQDN": True}
    kubectl.create(
        pod("none", labels={"app": "none"}, dnsPolicy="None", dnsConfig=config),
        pod("plain", labels={"app": "plain"}, dnsPolicy="Default"),
        pod("fqdn", labels={"app": "fqdn"}, hostname="h", **long),
    )
    assert Inside(cluster, kubectl, "none").file("resolv.conf") == (
        "search own.example\nnameserver 192.0.2.53\noptions ndots:1\n"
    )
    full = Inside(cluster, kubectl, "fqdn")
    domains = f"search {namespace}.svc.cluster.local svc.cluster.local cluster.local"
    assert full.file("resolv.conf").startswith(domains)
    assert DNS not in Inside(cluster, kubectl, "plain").file("resolv.conf")
    assert shell_in(cluster, full.node, full.container, "hostname").strip() == f"h.sub.{namespace}.svc.cluster.local"


def test_names_of_the_world_outside(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(pod("web", labels={"app": "web"}, nodeName="node1"))
    web = Inside(cluster, kubectl, "web")
    assert web.addresses(OUTSIDE) == set(), "a lab's hosts have no resolver"
    file = cluster.lab.layout.host("node1").etc / "resolv.conf"
    with resolver(cluster, "node3"):
        atomicfile.write(file, f"nameserver {cluster.lab.state.host('node3').address}\n")
        try:
            eventually(lambda: web.addresses(OUTSIDE) == {OUTSIDE_ADDRESS})
        finally:
            file.unlink()
    eventually(lambda: web.addresses(OUTSIDE) == set())


@contextmanager
def resolver(cluster: Cluster, host: str) -> Iterator[None]:
    """A resolver on a host that knows one name."""
    address = str(cluster.lab.state.host(host).address)
    where = cluster.host(host).where
    server = namespaces.run_in(where, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind((address, 53))

    def serve() -> None:
        while data := server.recvfrom(4096):
            content, client = data
            if not content:
                return
            query = decode(content)
            found = Record(query.questions[0].name, Type.A, 60, socket.inet_aton(OUTSIDE_ADDRESS))
            known = query.questions[0] == Question(name_of(OUTSIDE), Type.A)
            response = Message(query.id, query.questions, (found,) if known else (), response=True)
            server.sendto(encode(response), client)

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with namespaces.run_in(where, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as last:
            last.sendto(b"", (address, 53))
        thread.join(10)
        server.close()


def test_names_resolve_while_the_agent_is_away_and_after_it_is_back(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(pod("web", labels={"app": "web"}, nodeName="node1"), service("front", app="web"))
    web, address = Inside(cluster, kubectl, "web"), field(kubectl, "service front", "{.spec.clusterIP}")
    eventually(lambda: web.addresses("front") == {address})
    faults.kill(cluster, "node1")
    assert web.addresses("front") == {address}
    faults.start(cluster, "node1")
    eventually(lambda: web.addresses("front") == {address})
    kubectl.create(service("later", app="web"))
    later = field(kubectl, "service later", "{.spec.clusterIP}")
    eventually(lambda: web.addresses("later") == {later})


def test_a_service_that_is_an_alias(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(pod("web", labels={"app": "web"}))
    alias = {"type": "ExternalName", "externalName": "kubernetes.default.svc.cluster.local"}
    manifest = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "alias"}, "spec": alias}
    kubectl.create(manifest)
    web = Inside(cluster, kubectl, "web")
    eventually(lambda: web.addresses("alias") == {"10.96.0.1"})
