"""The session port and peers that use another protocol, stay silent, send too much, or have an invalid certificate."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.identity import keys
from agent.identity.files import Identity
from master.dispatch import server as server_module
from master.pki import Pki
from proto import contract
from proto.gen import session_pb2
from tests.fakes.hostile import (
    Bystander,
    RawPeer,
    hello,
    nothing_left,
    read_to_end,
    tls,
    told_within,
)
from tests.fakes.sessions import MasterEnd, master_end, prepare_pki
from tests.service.master.process import running

pytestmark = pytest.mark.timeout(60)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


def frame(kind: int, payload: bytes, *, flags: int = 0, stream: int = 0) -> bytes:
    """One HTTP/2 frame (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def headers(*fields: tuple[str, str]) -> bytes:
    """Literal header fields that are never indexed (RFC 7541, section 6.2.2)."""
    return b"".join(
        b"\x00" + bytes((len(name),)) + name.encode() + bytes((len(text),)) + text.encode() for name, text in fields
    )


WEB_PAGE = headers((":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "x"))
CALL = headers(
    (":method", "POST"),
    (":scheme", "https"),
    (":path", "/sampan.Master/Hello"),
    (":authority", "x"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
)

NOISE = random.Random(7)
SENT = [
    pytest.param(NOISE.randbytes(4096), id="noise"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="HTTP/1.1"),
    pytest.param(PREFACE + NOISE.randbytes(4096), id="HTTP/2, then noise"),
    pytest.param(PREFACE + SETTINGS + frame(1, NOISE.randbytes(200), flags=4, stream=1), id="headers of noise"),
    pytest.param(PREFACE + SETTINGS + frame(1, WEB_PAGE, flags=5, stream=1), id="HTTP/2, no gRPC"),
    pytest.param(PREFACE + SETTINGS + frame(0, b"x" * 100, stream=9), id="data of no stream"),
    pytest.param(PREFACE + SETTINGS + frame(9, b"x" * 100, stream=1), id="continuation of nothing"),
    pytest.param(PREFACE + SETTINGS + frame(8, b"\x00\x00\x00\x00"), id="window of nothing"),
    pytest.param(
        PREFACE
        + SETTINGS
        + frame(1, CALL, flags=4, stream=1)
        + frame(0, b"\x00\xff\xff\xff\xff" + b"x" * 50, stream=1),
        id="gRPC of 4 GiB",
    ),
    pytest.param(
        PREFACE + SETTINGS + frame(1, CALL, flags=4, stream=1) + frame(0, b"\x07\x00\x00\x00\x01x", flags=1, stream=1),
        id="gRPC with unknown flags",
    ),
    pytest.param(
        PREFACE + SETTINGS + frame(1, CALL, flags=4, stream=1) + frame(0, b"\x00\x00\x00", flags=1, stream=1),
        id="half a gRPC frame",
    ),
]


@pytest.mark.parametrize("sent", SENT)
async def test_another_protocol_with_a_nodes_certificate_harms_no_other_node(
    master: MasterEnd, other: Bystander, tmp_path: Path, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    identity = await master.identity("hostile")

    def speak() -> bytes:
        with tls(master, identity, tmp_path) as connection:
            connection.sendall(sent)
            # Long enough for a reply; then we close our end.
            connection.settimeout(0.2)
            try:
                return read_to_end(connection)
            except TimeoutError:
                return b""

    async with nothing_left():
        with told_within(caplog, 0):
            await asyncio.to_thread(speak)
    other.check(ignore=("podcidr",))


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
        pytest.param(NOISE.randbytes(2000), id="noise"),
        pytest.param(b"\x16\x03\x01\xff\xff" + NOISE.randbytes(2000), id="TLS of noise"),
    ],
)
async def test_connections_without_tls_are_closed(master: MasterEnd, other: Bystander, sent: bytes) -> None:
    def speak() -> bytes:
        with socket.create_connection(("127.0.0.1", master.server.port), timeout=20) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return read_to_end(connection)

    async with nothing_left():
        assert len(await asyncio.to_thread(speak)) < 100, "at most a TLS alert"
    other.check()


async def test_silent_connections_are_closed(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ("grpc.server_handshake_timeout_ms", 10_000) in server_module.OPTIONS
    changed = [
        (name, 200 if name == "grpc.server_handshake_timeout_ms" else value) for name, value in server_module.OPTIONS
    ]
    monkeypatch.setattr(server_module, "OPTIONS", changed)
    async with master_end(pki) as master:
        await master.identity("warm")
        async with nothing_left():
            silent = [socket.create_connection(("127.0.0.1", master.server.port), timeout=20) for _ in range(200)]
            ends = await asyncio.to_thread(lambda: [read_to_end(connection) for connection in silent])
            assert ends == [b""] * len(silent)
            for connection in silent:
                connection.close()


async def test_silent_connections_do_not_keep_others_out(master: MasterEnd, other: Bystander) -> None:
    async with nothing_left():
        silent = [socket.create_connection(("127.0.0.1", master.server.port), timeout=20) for _ in range(300)]
        async with RawPeer(await master.identity("hostile")) as peer:
            assert await peer.hello()
        for connection in silent:
            connection.close()
    other.check(ignore=("podcidr",))


async def test_the_number_of_silent_streams_is_limited(master: MasterEnd, other: Bystander) -> None:
    identity = await master.identity("hostile")
    async with nothing_left(), RawPeer(identity) as peer:
        calls = [peer.channel.stream_stream("/sampan.Master/Stream")() for _ in range(1000)]
        served = [0] * 10
        while served[-1] < 100 or served[-1] != served[-10]:
            await asyncio.sleep(0.01)
            served.append(sum(task.get_name().endswith("Master/Stream]") for task in asyncio.all_tasks()))
        assert max(served) <= 192  # 64 logs, 64 other streams, and 64 that begin or end
        for call in calls:
            call.cancel()
        del calls, call  # a call keeps its connection open
    other.check(ignore=("podcidr",))


async def test_a_stream_without_a_first_message_ends(
    master: MasterEnd, other: Bystander, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "FIRST_MESSAGE_S", 0.05)
    async with RawPeer(await master.identity("hostile")) as peer:
        call = peer.channel.stream_stream("/sampan.Master/Stream")()
        with pytest.raises(grpc.aio.AioRpcError):
            await call.read()
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "no message within" in await call.details()


async def test_desired_streams_that_are_never_read_delay_no_other_node(master: MasterEnd, other: Bystander) -> None:
    identity = await master.identity("hostile")
    async with nothing_left(), RawPeer(identity) as peer:
        request = session_pb2.DesiredRequest(session_id=await peer.hello()).SerializeToString()
        calls = [peer.channel.unary_stream("/sampan.Master/Desired")(request) for _ in range(50)]
        await asyncio.gather(*(call.initial_metadata() for call in calls[:1]))
        cuts = other.agent.machine.cuts
        async with RawPeer(await master.identity("third")) as third:
            await third.hello(machine="third", address="10.0.0.67")
        while other.agent.machine.cuts == cuts:  # noqa: ASYNC110 - the new node is a peer of the other
            await asyncio.sleep(0.002)
        for call in calls:
            call.cancel()
        del calls, call  # a call keeps its connection open
    other.check(ignore=("third", "10.0.0.67", "podcidr"))


@pytest.mark.parametrize("method", ["Hello", "ReportPods"])
async def test_a_message_over_the_limit_is_refused_by_its_size(
    master: MasterEnd, other: Bystander, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    async with RawPeer(await master.identity("hostile")) as peer:
        with told_within(caplog, 3, of="node hostile"):
            await _send_too_much(peer, method, times=5)
    other.check(ignore=("podcidr",))


@pytest.mark.timeout(120)  # the master returns memory up to 40 s later
async def test_refused_messages_are_not_kept_in_memory(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        async with RawPeer(await asyncio.to_thread(process.join, "hostile", tmp_path / "hostile")) as peer:
            await _send_too_much(peer, "Hello", times=5)
            before = process.resident_bytes()
            await _send_too_much(peer, "Hello", times=20)
            # The C library keeps what each of the server's threads has freed, until the master returns it.
            await process.memory_back_at(before + 5 * contract.MAX_MESSAGE_BYTES)


async def _send_too_much(peer: RawPeer, method: str, *, times: int) -> None:
    """Send a message over the limit and an unreadable one of the largest size, so often."""
    for _ in range(times):
        status, why = await peer.call(method, b"\xff" * (contract.MAX_MESSAGE_BYTES + 1))
        assert status == "RESOURCE_EXHAUSTED"
        assert "larger than max" in str(why) and str(contract.MAX_MESSAGE_BYTES) in str(why)
        assert (await peer.call(method, b"\xff" * contract.MAX_MESSAGE_BYTES))[0] == "INVALID_ARGUMENT"


async def test_an_unknown_call_is_unimplemented(master: MasterEnd) -> None:
    async with RawPeer(await master.identity("hostile")) as peer:
        assert (await peer.call("TakeOver", b""))[0] == "UNIMPLEMENTED"


# -- certificates -----------------------------------------------------------------------------------------------------


def _certificate(signer: ec.EllipticCurvePrivateKey, issuer: x509.Name, key: str, *, days: tuple[int, int]) -> str:
    """A certificate of node `hostile`; `days`: begin and end of its validity, relative to now."""
    private = serialization.load_pem_private_key(key.encode(), password=None)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
            x509.NameAttribute(NameOID.COMMON_NAME, "system:node:hostile"),
        ]
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(private.public_key())  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .sign(signer, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def _expired(pki: Pki, key: str, directory: Path) -> str:
    return _certificate(pki.signer.key, pki.signer.certificate.subject, key, days=(-10, -1))


def _not_yet(pki: Pki, key: str, directory: Path) -> str:
    return _certificate(pki.signer.key, pki.signer.certificate.subject, key, days=(5, 10))


def _of_another_authority(pki: Pki, key: str, directory: Path) -> str:
    return prepare_pki(directory).sign_node(keys.make_request(key, "hostile"), "hostile")


def _in_the_authoritys_name(pki: Pki, key: str, directory: Path) -> str:
    return _certificate(ec.generate_private_key(ec.SECP256R1()), pki.signer.certificate.subject, key, days=(-1, 10))


def _signed_by_itself(pki: Pki, key: str, directory: Path) -> str:
    private = serialization.load_pem_private_key(key.encode(), password=None)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "system:node:hostile")])
    return _certificate(private, name, key, days=(-1, 10))  # type: ignore[arg-type]


def _none(pki: Pki, key: str, directory: Path) -> str:
    return ""


@pytest.mark.parametrize(
    "made", [_expired, _not_yet, _of_another_authority, _in_the_authoritys_name, _signed_by_itself, _none]
)
async def test_an_invalid_certificate_cannot_connect(
    master: MasterEnd, pki: Pki, other: Bystander, tmp_path: Path, made: Callable[[Pki, str, Path], str]
) -> None:
    identity = await master.identity("hostile")
    certificate = made(pki, identity.key, tmp_path / "other")
    forged = replace(identity, certificate=certificate, key=identity.key if certificate else "")
    async with nothing_left(), RawPeer(forged) as peer:
        status, why = await peer.call("Hello", b"")
    assert status == "UNAVAILABLE", why
    other.check(ignore=("podcidr",))


async def test_a_valid_certificate_without_an_identity_is_denied(
    master: MasterEnd, pki: Pki, other: Bystander, caplog: pytest.LogCaptureFixture
) -> None:
    identity = await master.identity("hostile")
    unknown = replace(identity, certificate=pki.sign_node(keys.make_request(identity.key, "ghost"), "ghost"))
    async with RawPeer(unknown) as peer:
        with told_within(caplog, 0):
            for _ in range(50):
                status, why = await peer.call("Hello", hello().SerializeToString())
                assert (status, "does not know node ghost" in str(why)) == ("PERMISSION_DENIED", True)
    assert caplog.text.count("does not know node ghost") == 1
    other.check(ignore=("podcidr",))


async def test_a_node_cannot_use_another_nodes_session(master: MasterEnd, other: Bystander) -> None:
    async with RawPeer(await master.identity("hostile")) as peer:
        await peer.hello()
        for method, request in (
            ("Heartbeat", session_pb2.HeartbeatRequest(session_id=other.session_id)),
            ("ReportPods", session_pb2.PodReport(session_id=other.session_id)),
            ("ReportEvents", session_pb2.EventReport(session_id=other.session_id)),
            ("ReportLeft", session_pb2.LeftReport(session_id=other.session_id)),
        ):
            status, why = await peer.call(method, request.SerializeToString())
            assert (status, "say Hello again" in str(why)) == ("FAILED_PRECONDITION", True)
        stream = session_pb2.DesiredRequest(session_id=other.session_id).SerializeToString()
        assert (await peer.first_of("Desired", stream))[0] == "FAILED_PRECONDITION"
    other.check(ignore=("podcidr",))


def _damaged(pki: Pki) -> None:
    pki.server.certificate.write_text("-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n")


def _gone(pki: Pki) -> None:
    pki.server.certificate.unlink()


@pytest.mark.parametrize("harm", [_damaged, _gone])
async def test_the_master_does_not_serve_a_damaged_certificate(tmp_path: Path, harm: Callable[[Pki], None]) -> None:
    pki = prepare_pki(tmp_path)
    async with master_end(pki) as master:
        identity: Identity = await master.identity("hostile")
        harm(pki)
        for _ in range(3):
            async with RawPeer(identity) as peer:
                assert await peer.hello()
