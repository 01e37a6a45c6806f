"""Probes and hooks against real servers on loopback."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from threading import Event

import grpc
import grpc.aio
import pytest

from agent.clock import SystemClock
from agent.handlers import GrpcCheck, HttpGet, RunCommand, Sleep, TcpConnect
from agent.probes.interface import Result, ResultKind, Target
from agent.probes.prober import NodeProber
from agent.runtime.fakeprocess import FakeExec
from agent.runtime.process import Result as CommandResult
from agent.runtime.records import ContainerId
from tests.fakes.listening import unused_port
from tests.service.agent.probes.servers import Answer, hangs, is_endless, resets, sends, serving, status

TARGET = Target(ContainerId("c" * 64), "127.0.0.1")
LONG_S = 60.0
"""A time-out that no test reaches."""


@pytest.fixture
def commands() -> FakeExec:
    return FakeExec(lambda container: None)


@pytest.fixture
def prober(commands: FakeExec) -> NodeProber:
    return NodeProber(commands, SystemClock())


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate that nobody has signed and that names another server."""
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    files = ("-out", str(paths[0]), "-keyout", str(paths[1]))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=elsewhere", *files],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return paths


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
ANSWERS: list[tuple[str, Answer, ResultKind, str]] = [
    ("200", sends(status(200)), ResultKind.SUCCESS, ""),
    ("299", sends(status(299)), ResultKind.SUCCESS, ""),
    ("399", sends(status(399)), ResultKind.WARNING, "Probe terminated redirects, Response body: "),
    ("400", sends(status(400)), ResultKind.FAILURE, "HTTP probe failed with statuscode: 400"),
    ("500", sends(status(500, body=b"x" * 50_000)), ResultKind.FAILURE, "HTTP probe failed with statuscode: 500"),
    ("in pieces", sends(*(bytes([byte]) for byte in status(200, body=b"ok"))), ResultKind.SUCCESS, ""),
    ("chunked", sends(CHUNKED), ResultKind.SUCCESS, ""),
    ("an endless body", is_endless, ResultKind.SUCCESS, ""),
    ("a reset", resets, ResultKind.FAILURE, "connection reset by peer"),
    ("nothing", sends(), ResultKind.FAILURE, "EOF"),
    ("no http", sends(b"+OK POP3\r\n\r\n"), ResultKind.FAILURE, "malformed HTTP response '+OK POP3'"),
    ("a cut body", sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), ResultKind.FAILURE, "unexpected EOF"),
]


@pytest.mark.parametrize(
    ("answer", "kind", "output"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS]
)
async def test_http_answers(prober: NodeProber, answer: Answer, kind: ResultKind, output: str) -> None:
    async with serving(answer) as server:
        result = await prober.probe(HttpGet(server.port), TARGET, timeout_s=LONG_S)
    assert result.kind is kind and output in result.output, result


async def test_an_http_probe_ends_at_its_timeout(prober: NodeProber) -> None:
    async with serving(hangs) as server:
        result = await prober.probe(HttpGet(server.port, "/x"), TARGET, timeout_s=0.05)
    assert result.kind is ResultKind.FAILURE
    assert result.output.startswith(f'Get "http://127.0.0.1:{server.port}/x": context deadline exceeded')


async def test_what_an_http_server_gets(prober: NodeProber) -> None:
    headers = (("X-Probe", "1"), ("Host", "shop.example"), ("accept", ""), ("User-Agent", ""), ("X-Empty", ""))
    async with serving(sends(status(200))) as server:
        await prober.probe(HttpGet(server.port, "/a b?c=d"), TARGET, timeout_s=LONG_S)
        await prober.probe(HttpGet(server.port, headers=headers), TARGET, timeout_s=LONG_S)
        await prober.probe(HttpGet(server.port, headers=(("Host", ""),)), TARGET, timeout_s=LONG_S)
    plain, changed, hostless = (head.decode().split("\r\n") for head in server.requests)
    assert plain[0] == "GET /a%20b?c=d HTTP/1.1"
    assert {f"Host: 127.0.0.1:{server.port}", "User-Agent: kube-probe/1.37", "Accept: */*"} <= set(plain)
    assert {"X-Probe: 1", "Host: shop.example", "X-Empty: "} <= set(changed)
    assert not [line for line in changed if line.lower().startswith(("accept", "user-agent"))]
    assert f"Host: 127.0.0.1:{server.port}" in hostless


async def test_a_header_that_cannot_be_sent_does_not_count(prober: NodeProber) -> None:
    result = await prober.probe(HttpGet(1, headers=(("X", "a\r\nb"),)), TARGET, timeout_s=LONG_S)
    assert result.kind is ResultKind.ERROR


async def test_redirects_on_the_same_host_are_followed(prober: NodeProber) -> None:
    async with serving(sends(status(200))) as end:
        there = sends(status(302, f"Location: http://127.0.0.1:{end.port}/there"))
        async with serving(there) as start:
            result = await prober.probe(HttpGet(start.port), TARGET, timeout_s=LONG_S)
    assert result == Result(ResultKind.SUCCESS)
    assert end.requests[0].startswith(b"GET /there HTTP/1.1\r\n")


async def test_a_redirect_to_another_host_is_a_warning(prober: NodeProber) -> None:
    answer = sends(status(301, "Location: http://elsewhere.invalid/", body=b"moved"))
    async with serving(answer) as server:
        result = await prober.probe(HttpGet(server.port), TARGET, timeout_s=LONG_S)
    assert result == Result(ResultKind.WARNING, "Probe terminated redirects, Response body: moved")


@pytest.mark.parametrize(
    ("location", "output"), [("/again", "stopped after 10 redirects"), ("ftp://127.0.0.1/", "cannot follow")]
)
async def test_bad_redirects(prober: NodeProber, location: str, output: str) -> None:
    async with serving(sends(status(302, f"Location: {location}"))) as server:
        result = await prober.probe(HttpGet(server.port), TARGET, timeout_s=LONG_S)
    assert result.kind is ResultKind.FAILURE and output in result.output


async def test_https_does_not_verify_the_certificate(prober: NodeProber, certificate: tuple[Path, Path]) -> None:
    async with serving(sends(status(200, body=b"x" * 5000)), certificate=certificate) as server:
        result = await prober.probe(HttpGet(server.port, https=True), TARGET, timeout_s=LONG_S)
    assert result == Result(ResultKind.SUCCESS) and len(server.requests) == 1


async def test_https_to_a_server_without_tls(prober: NodeProber) -> None:
    """As in the kubelet, hooks are called again by HTTP, and probes are not."""
    heads: list[bytes] = []

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.read(4096))
        writer.write(status(400))
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        action = HttpGet(port, "/end", https=True, headers=(("Authorization", "x"), ("X-Own", "y")))
        result = await prober.probe(action, TARGET, timeout_s=LONG_S)
        assert await prober.hook(action, TARGET, timeout_s=LONG_S) == ""
    assert result.kind is ResultKind.FAILURE
    called = [head for head in heads if head.startswith(b"GET")]
    assert len(called) == 1
    assert called[0].startswith(b"GET /end ") and b"X-Own: y" in called[0] and b"Authorization" not in called[0]


async def test_a_host_name(prober: NodeProber) -> None:
    async with serving(sends(status(200))) as server:
        result = await prober.probe(HttpGet(server.port, host="localhost"), TARGET, timeout_s=LONG_S)
        assert result.passed
        unknown = await prober.probe(HttpGet(server.port, host="no.such.host.invalid"), TARGET, timeout_s=LONG_S)
        assert unknown.kind is ResultKind.FAILURE


async def test_all_addresses_of_a_host_name_are_tried(prober: NodeProber, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `localhost` is, where the server listens by IPv4 only."""

    def both(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    async with serving(sends(status(200))) as server:
        for action in (HttpGet(server.port, host="both.example"), TcpConnect(server.port, host="both.example")):
            assert (await prober.probe(action, TARGET, timeout_s=LONG_S)).passed


async def test_slow_names_do_not_stop_the_rest_of_the_agent(
    prober: NodeProber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that looks up a name cannot be cancelled: volumes and files must not wait for it."""
    end = Event()

    def slow(*_: object, **__: object) -> list[object]:
        end.wait()
        raise OSError("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    try:
        for _ in range(50):
            result = await prober.probe(TcpConnect(80, host="slow.example"), TARGET, timeout_s=0.001)
            assert result.output == "dial tcp slow.example:80: i/o timeout"
        async with asyncio.timeout(20):
            assert await asyncio.to_thread(lambda: "goes on") == "goes on"
    finally:
        end.set()


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "a b"])
async def test_a_host_name_that_cannot_be(prober: NodeProber, host: str) -> None:
    for action in (HttpGet(80, host=host), HttpGet(80, host=host, https=True), TcpConnect(80, host=host)):
        result = await prober.probe(action, TARGET, timeout_s=LONG_S)
        assert result.kind is ResultKind.FAILURE, action
    assert await prober.hook(HttpGet(80, host=host), TARGET, timeout_s=LONG_S)


async def test_a_url_that_cannot_be_does_not_count(prober: NodeProber) -> None:
    assert (await prober.probe(HttpGet(80, host="["), TARGET, timeout_s=LONG_S)).kind is ResultKind.ERROR
    assert "invalid URL" in await prober.hook(HttpGet(80, host="["), TARGET, timeout_s=LONG_S)


async def test_an_unexpected_error_ends_neither_a_probe_nor_a_hook(commands: FakeExec) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    commands.run = broken  # type: ignore[method-assign, assignment]
    prober = NodeProber(commands, SystemClock())
    assert await prober.probe(RunCommand(("x",)), TARGET, timeout_s=1) == Result(ResultKind.ERROR, "ZeroDivisionError")
    assert await prober.hook(RunCommand(("x",)), TARGET, timeout_s=1) == "ZeroDivisionError"


async def test_tcp(prober: NodeProber) -> None:
    async with serving(hangs) as server:
        assert (await prober.probe(TcpConnect(server.port), TARGET, timeout_s=LONG_S)).passed
    port = unused_port()
    refused = await prober.probe(TcpConnect(port), TARGET, timeout_s=LONG_S)
    assert refused == Result(ResultKind.FAILURE, f"dial tcp 127.0.0.1:{port}: connect: connection refused")


async def test_servers_see_connections_end_in_order(prober: NodeProber) -> None:
    """Some servers report a reset as an error, or even end."""
    ends: asyncio.Queue[str] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if (await reader.read(4096)).startswith(b"GET"):
                writer.write(status(200, body=b"ok"))
            ends.put_nowait(repr(await reader.read()))
        except OSError as error:
            ends.put_nowait(repr(error))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for action in (TcpConnect(port), HttpGet(port)):
            assert (await prober.probe(action, TARGET, timeout_s=LONG_S)).passed
            assert await ends.get() == "b''"


async def test_servers_of_https_see_the_end_announced(prober: NodeProber, certificate: tuple[Path, Path]) -> None:
    """By TLS's close_notify: some servers report an end without it as an error."""
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def serve() -> bytes:
        connection, _ = listening.accept()
        with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as secured:
            secured.recv(4096)
            secured.sendall(status(200, body=b"ok"))
            return secured.recv(4096)  # raises an error for an end without notice

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        seen = asyncio.create_task(asyncio.to_thread(serve))
        action = HttpGet(listening.getsockname()[1], https=True)
        assert (await prober.probe(action, TARGET, timeout_s=LONG_S)).passed
        assert await seen == b""


async def test_probes_leave_no_connection_open(prober: NodeProber) -> None:
    async with serving(sends(status(200))) as server:
        for _ in range(20):
            await prober.probe(HttpGet(server.port), TARGET, timeout_s=LONG_S)
            await prober.probe(TcpConnect(server.port), TARGET, timeout_s=LONG_S)
        wanted = f":{server.port:04X}"
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        # Our ends: their remote port is the server's.
        ours = {line.split()[3] for line in lines if line.split()[2].endswith(wanted)}
    established, close_wait = "01", "08"
    assert not ours & {established, close_wait}


async def test_a_named_port_that_is_missing_does_not_count(prober: NodeProber) -> None:
    for action in (HttpGet(0, port_name="web"), TcpConnect(0, port_name="web")):
        result = await prober.probe(action, TARGET, timeout_s=LONG_S)
        assert result == Result(ResultKind.ERROR, 'the container has no port with the name "web"')


COMMAND = ("check", "it")


async def test_commands(prober: NodeProber, commands: FakeExec) -> None:
    action = RunCommand(COMMAND)
    missing = await prober.probe(action, TARGET, timeout_s=2)
    assert missing.kind is ResultKind.ERROR and "not found" in missing.output
    commands.results[COMMAND] = CommandResult(0, b"fine")
    assert (await prober.probe(action, TARGET, timeout_s=2)).passed
    commands.results[COMMAND] = CommandResult(1, b"cat: no such file\n\xff")
    assert await prober.probe(action, TARGET, timeout_s=2) == Result(ResultKind.FAILURE, "cat: no such file\n\ufffd")
    assert await prober.hook(action, TARGET, timeout_s=2) == "cat: no such file\n\ufffd"
    commands.hanging.add(COMMAND)
    assert (await prober.probe(action, TARGET, timeout_s=2)).kind is ResultKind.FAILURE


@asynccontextmanager
async def health_server(status: int | None) -> AsyncIterator[int]:
    """A gRPC server that answers every health check with this status; None: it has no health service."""

    async def check(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        assert status is not None
        if request and request != b"\x0a\x02db":
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return bytes([0x08, status])

    server = grpc.aio.server()
    if status is not None:
        method = grpc.unary_unary_rpc_method_handler(check)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method}),)
        )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("status", "service", "output"),
    [
        (1, "", ""),
        (1, "db", ""),
        (1, "other", "error: health rpc failed: NOT_FOUND: unknown service"),
        (2, "", 'service unhealthy (responded with "NOT_SERVING")'),
        (None, "", "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"),
    ],
)
async def test_grpc(prober: NodeProber, status: int | None, service: str, output: str) -> None:
    async with health_server(status) as port:
        result = await prober.probe(GrpcCheck(port, service), TARGET, timeout_s=LONG_S)
    assert result.passed is not bool(output) and result.output.startswith(output)


async def test_grpc_without_an_answer(prober: NodeProber) -> None:
    refused = await prober.probe(GrpcCheck(unused_port()), TARGET, timeout_s=LONG_S)
    assert refused.kind is ResultKind.FAILURE and refused.output.startswith("error: failed to connect service")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        late = await prober.probe(GrpcCheck(silent.getsockname()[1]), TARGET, timeout_s=0.2)
    assert late.kind is ResultKind.FAILURE


async def test_hooks(prober: NodeProber) -> None:
    assert await prober.hook(Sleep(0), TARGET, timeout_s=LONG_S) == ""
    assert await prober.hook(TcpConnect(1), TARGET, timeout_s=LONG_S) == "tcpSocket is not supported in hooks"
    async with serving(sends(status(500))) as server:
        # As in the kubelet, any answer is a success.
        assert await prober.hook(HttpGet(server.port), TARGET, timeout_s=LONG_S) == ""
    assert "connection refused" in await prober.hook(HttpGet(server.port), TARGET, timeout_s=LONG_S)
    assert "no port" in await prober.hook(HttpGet(0, port_name="web"), TARGET, timeout_s=LONG_S)
    async with serving(hangs) as server:
        assert "no answer within" in await prober.hook(HttpGet(server.port), TARGET, timeout_s=0.05)
