"""Commands in the containers of real pods: by the API's websockets, and by kubectls; the oldest uses SPDY."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest

from client.kubeconfig import Access, load_kubeconfig
from client.tls import context_for
from lab.cluster import Cluster
from lab.kubectl import Kubectl
from tests.cluster.manifests import pod, shell

pytestmark = pytest.mark.cluster

STDIN, STDOUT, STDERR, ERROR, CLOSE = 0, 1, 2, 3, 255


@pytest.fixture
def web(apply: Callable[..., object], wait_ready: Callable[..., None]) -> Iterator[str]:
    """A running pod that echoes lines of its input."""
    container = {**shell("while read line; do echo got $line; done"), "stdin": True}
    apply(pod("web", container=container))
    wait_ready("pod/web")
    yield "web"


async def test_a_command_gets_its_input_and_reports_its_exit_code(cluster: Cluster, namespace: str, web: str) -> None:
    data = os.urandom(2 << 20)
    script = "sha256sum; echo bad >&2; exit 7"
    access = load_kubeconfig(cluster.kubeconfig)
    query = urlencode(
        [*(("command", word) for word in ("sh", "-c", script)), ("stdin", 1), ("stdout", 1), ("stderr", 1)]
    )
    address = f"{access.server}/api/v1/namespaces/{namespace}/pods/{web}/exec?{query}"
    received = {STDOUT: b"", STDERR: b"", ERROR: b""}
    async with websocket(address, access) as socket:
        for start in range(0, len(data), 30_000):
            await socket.send_bytes(bytes([STDIN]) + data[start : start + 30_000])
        await socket.send_bytes(bytes([CLOSE, STDIN]))
        async for message in socket:
            received[message.data[0]] += message.data[1:]
    assert received[STDOUT].split()[0] == hashlib.sha256(data).hexdigest().encode()
    assert received[STDERR] == b"bad\n"
    status = json.loads(received[ERROR])
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]


async def test_the_main_process_answers_an_attached_client(cluster: Cluster, namespace: str, web: str) -> None:
    access = load_kubeconfig(cluster.kubeconfig)
    address = f"{access.server}/api/v1/namespaces/{namespace}/pods/{web}/attach?stdin=1&stdout=1"
    async with websocket(address, access) as socket:
        await socket.send_bytes(bytes([STDIN]) + b"word\n")
        output = b""
        while not output.endswith(b"\n"):
            message = await socket.receive_bytes(timeout=30)
            output += message[1:]
    assert output == b"got word\n"


@asynccontextmanager
async def websocket(address: str, access: Access) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A websocket whose connection is closed at the end: aiohttp closes one with TLS only after its session."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address, protocols=("v5.channel.k8s.io",), ssl=context_for(access)) as socket,
    ):
        connection = socket.get_extra_info("socket")
        yield socket
    async with asyncio.timeout(30):
        while connection.fileno() != -1:  # noqa: ASYNC110 - nothing tells when it is closed
            await asyncio.sleep(0)


def test_kubectl_copies_files_in_both_directions(any_kubectl: Kubectl, tmp_path: Path, web: str) -> None:
    sent, back = tmp_path / "sent", tmp_path / "back"
    sent.write_bytes(os.urandom(5 << 20))
    any_kubectl("cp", str(sent), f"{web}:/tmp/file")
    any_kubectl("cp", f"{web}:/tmp/file", str(back))
    assert back.read_bytes() == sent.read_bytes()
    assert any_kubectl("exec", web, "--", "hostname").strip() == web


def test_an_input_for_one_client_ends_with_it(
    any_kubectl: Kubectl, apply: Callable[..., object], wait_ready: Callable[..., None]
) -> None:
    container = {**shell("cat; echo end"), "stdin": True, "stdinOnce": True}
    apply(pod("once", container=container, restartPolicy="Never", hostnameOverride="db.example.org"))
    wait_ready("pod/once")
    assert any_kubectl("exec", "once", "--", "hostname") == "db.example.org\n"
    any_kubectl("attach", "-i", "once", stdin="word\n")
    assert any_kubectl("logs", "-f", "once") == "word\nend\n"
