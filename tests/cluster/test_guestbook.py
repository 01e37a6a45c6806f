"""The guestbook of the documents: a redis master, and two slaves that find it by environment variables."""

from __future__ import annotations

import socket

import pytest

from lab.cluster import Cluster
from lab.kubectl import Kubectl
from lab.workloads import example
from netrig.plugin import eventually
from tests.cluster.manifests import container_id, shell_in

pytestmark = pytest.mark.cluster


def redis(cluster: Cluster, address: str, command: str) -> str:
    """The reply to one command, sent from node3's own network to a cluster IP or pod."""
    with cluster.host("node3").call(lambda: socket.create_connection((address, 6379), timeout=2.0)) as stream:
        stream.sendall(f"{command}\r\n".encode())
        stream.settimeout(5.0)
        return stream.recv(4096).decode()


def test_an_entry_written_to_the_master_is_read_from_both_slaves(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl("create", "--validate=false", "-f", str(example("guestbook.yaml")))
    addresses = {
        name: kubectl("get", "service", name, "-o", "jsonpath={.spec.clusterIP}")
        for name in ("redis-master", "redis-slave")
    }

    def ready(name: str) -> int:
        return int(kubectl("get", "rc", name, "-o", "jsonpath={.status.readyReplicas}") or 0)

    eventually(lambda: (ready("redis-master"), ready("redis-slave")) == (1, 2), within_s=60)
    written = eventually(lambda: answered(cluster, addresses["redis-master"], "SET entry hello"))
    assert written == "+OK\r\n"
    slaves = [pod["status"]["podIP"] for pod in kubectl.json("get", "pods", "-l", "name=redis-slave")["items"]]
    assert len(set(slaves)) == 2
    for slave in slaves:
        eventually(lambda slave=slave: "hello" in answered(cluster, slave, "GET entry"))
    for _ in range(10):
        assert "hello" in redis(cluster, addresses["redis-slave"], "GET entry")
    # Slaves refuse writes, so this shows that the service leads to slaves.
    assert "READONLY" in redis(cluster, addresses["redis-slave"], "SET entry other")


def answered(cluster: Cluster, address: str, command: str) -> str:
    try:
        return redis(cluster, address, command)
    except (TimeoutError, OSError):
        return ""


def test_service_variables_are_as_documented(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl("create", "--validate=false", "-f", str(example("tomcat-service.yaml")))
    address = kubectl("get", "service", "tomcat-service", "-o", "jsonpath={.spec.clusterIP}")
    kubectl("create", "--validate=false", "-f", str(example("tomcat-rc.yaml")))
    node, container = eventually(lambda: container_id(kubectl, "tier=frontend"))
    lines = shell_in(cluster, node, container, "env").split("\n")
    variables = dict(line.split("=", 1) for line in lines if "=" in line)
    expected = {
        "TOMCAT_SERVICE_SERVICE_HOST": address,
        "TOMCAT_SERVICE_SERVICE_PORT": "8080",
        "TOMCAT_SERVICE_SERVICE_PORT_SERVICE_PORT": "8080",
        "TOMCAT_SERVICE_SERVICE_PORT_SHUTDOWN_PORT": "8005",
        "TOMCAT_SERVICE_PORT": f"tcp://{address}:8080",
        "TOMCAT_SERVICE_PORT_8080_TCP": f"tcp://{address}:8080",
        "TOMCAT_SERVICE_PORT_8080_TCP_PROTO": "tcp",
        "TOMCAT_SERVICE_PORT_8080_TCP_PORT": "8080",
        "TOMCAT_SERVICE_PORT_8080_TCP_ADDR": address,
        "TOMCAT_SERVICE_PORT_8005_TCP": f"tcp://{address}:8005",
        "TOMCAT_SERVICE_PORT_8005_TCP_PROTO": "tcp",
        "TOMCAT_SERVICE_PORT_8005_TCP_PORT": "8005",
        "TOMCAT_SERVICE_PORT_8005_TCP_ADDR": address,
        "GET_HOSTS_FROM": "dns",
    }
    assert {name: variables.get(name) for name in expected} == expected
