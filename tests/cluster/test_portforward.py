"""Forwarded ports and proxies of real pods, with real kubectls."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.request import urlopen

import pytest

from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import pod, service, shell

pytestmark = pytest.mark.cluster

ECHO, INSIDE, WEB, CLOSED = 9090, 9091, 8080, 9999
"""An echo, a web server that listens on the loopback address only, one that listens everywhere, and nothing."""
SIZE = 20 << 20


@pytest.fixture
def web(apply: Callable[..., object], wait_ready: Callable[..., None]) -> str:
    """A pod with all of the servers."""
    servers = f"nc -ll -p {ECHO} -e cat & httpd -f -p 127.0.0.1:{INSIDE} -h /tmp & exec httpd -f -p {WEB} -h /tmp"
    container = {**shell(f"echo hello > /tmp/page; {servers}"), "ports": [{"containerPort": WEB}]}
    apply([pod("web", labels={"app": "web"}, container=container), service("web", app="web", port=80)])
    wait_ready("pod/web")
    return "web"


@contextmanager
def forwarded(kubectl: Kubectl, name: str, *ports: int) -> Iterator[tuple[Iterator[str], list[int]]]:
    """A running `kubectl port-forward`: the lines that it prints, and the local ports."""
    arguments = ("port-forward", "--address=127.0.0.1", f"pod/{name}", *(f":{port}" for port in ports))
    with kubectl.lines(*arguments) as lines:
        local = []
        for line in lines:
            found = re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> ", line)
            assert found, line
            local.append(int(found[1]))
            if len(local) == len(ports):
                break
        yield lines, local


def exchange(port: int, data: bytes) -> bytes:
    """Send all, and read as much."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection, ThreadPoolExecutor(1) as sender:
        sending = sender.submit(connection.sendall, data)
        received = bytearray()
        while len(received) < len(data) and (piece := connection.recv(1 << 20)):
            received += piece
        sending.result()
    return bytes(received)


def test_megabytes_pass_a_forwarded_port_in_both_directions(any_kubectl: Kubectl, web: str) -> None:
    data = os.urandom(SIZE)
    with forwarded(any_kubectl, web, ECHO) as (_, (local,)):
        received = exchange(local, data)
        assert exchange(local, b"and once more") == b"and once more"
    assert hashlib.sha256(received).digest() == hashlib.sha256(data).digest()


def test_a_refused_port_is_an_error_with_a_reason(any_kubectl: Kubectl, web: str) -> None:
    with forwarded(any_kubectl, web, CLOSED, ECHO) as (lines, (closed, local)):
        assert exchange(local, b"one") == b"one"
        assert exchange_nothing(closed) == b""
        errors = next(line for line in lines if "error occurred forwarding" in line)
        reason = f"dial tcp4 127.0.0.1:{CLOSED}: connect: connection refused"
        assert f"error forwarding port {CLOSED} to pod {web}, uid " in errors and reason in errors
        # Old kubectls go on, newer ones end after an error (kubernetes/kubernetes#103526).
        if any_kubectl.binary.name == "kubectl":
            assert exchange(local, b"two") == b"two"
        else:
            assert any("lost connection to pod" in line for line in lines)


def exchange_nothing(port: int) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            return connection.recv(1)
    except ConnectionResetError:
        return b""


def test_a_connection_to_a_pod_ends_with_the_pod(any_kubectl: Kubectl, web: str) -> None:
    with forwarded(any_kubectl, web, ECHO) as (lines, (local,)):
        with socket.create_connection(("127.0.0.1", local), timeout=60) as connection:
            connection.sendall(b"x")
            assert connection.recv(1) == b"x"
            any_kubectl("delete", "pod", web, "--wait")
            assert connection.recv(1) == b""
        assert exchange_nothing(local) == b""
        assert any("error forwarding port" in line for line in lines)


def test_a_pod_with_the_hosts_network_has_its_ports_there(
    kubectl: Kubectl, apply: Callable[..., object], wait_ready: Callable[..., None]
) -> None:
    apply(pod("host", container=shell(f"exec nc -ll -p {ECHO} -e cat"), hostNetwork=True))
    wait_ready("pod/host")
    with forwarded(kubectl, "host", ECHO) as (_, (local,)):
        assert exchange(local, b"from the host") == b"from the host"


def test_the_proxies_lead_to_a_pod_a_service_and_an_agent(kubectl: Kubectl, namespace: str, web: str) -> None:
    base = f"/api/v1/namespaces/{namespace}"
    assert kubectl("get", "--raw", f"{base}/pods/{web}/proxy/page") == "hello\n"
    assert kubectl("get", "--raw", f"{base}/pods/http:{web}:{WEB}/proxy/page?x=1") == "hello\n"
    assert eventually(lambda: kubectl("get", "--raw", f"{base}/services/web:80/proxy/page")) == "hello\n"
    # The proxy uses the pod's address, and a forwarded port the loopback address inside of the pod.
    refused = kubectl.refused("get", "--raw", f"{base}/pods/{web}:{INSIDE}/proxy/page")
    address = kubectl.json("get", "pod", web)["status"]["podIP"]
    assert f"error trying to reach service: dial tcp {address}:{INSIDE}: connect: connection refused" in refused
    with forwarded(kubectl, web, INSIDE) as (_, (local,)), urlopen(f"http://127.0.0.1:{local}/page") as response:
        assert response.read() == b"hello\n"
    node = kubectl.json("get", "pod", web)["spec"]["nodeName"]
    assert kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/healthz") == "ok"
