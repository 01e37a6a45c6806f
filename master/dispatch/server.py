"""The gRPC server of the session port: mutual TLS, the peer's identity, and errors as statuses.

Owns only the transport; service.py does the work of a call. The connection's certificate identifies the peer: its
common name gives the node, its hash the identity. Messages are parsed here and not by gRPC, which would answer an
unreadable message with its own status and log a traceback.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from master.api.errors import ApiError, Invalid
from master.clock import Clock, SystemClock
from master.dispatch.complaints import Complaints
from master.dispatch.errors import Denied, DispatchError, InvalidMessage
from master.dispatch.service import MasterService, Peer
from master.pki import Pki
from master.store.errors import StoreError
from proto import contract
from proto.gen import session_pb2

SERVICE: Final = "sampan.Master"
STOP_GRACE_S: Final = 0.2

OPTIONS: Final[list[tuple[str, int]]] = [
    *contract.CHANNEL_LIMITS,
    # Two masters on one port must be an error; the kernel must not distribute connections between them.
    ("grpc.so_reuseport", 0),
    # When all nodes reconnect at once, the default limits would cancel some of their calls.
    ("grpc.server.max_pending_requests", 10_000),
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
    # The connection of a node that vanished is noticed within half a minute.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    # An agent has one stream of desired state, its reports, and the streams of users with some that are refused.
    ("grpc.max_concurrent_streams", 3 * contract.MAX_STREAMS),
    # A peer that connects and sends nothing keeps a descriptor only for this long.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 60_000),
]
FIRST_MESSAGE_S: Final = 10.0
"""How long a stream may be open before its first message."""
MAX_REASON: Final = 1000
"""Characters of an error message to a peer."""

M = TypeVar("M", bound=Message)

log = logging.getLogger(__name__)


class PortTaken(OSError):
    """The master cannot listen on the session port."""


class SessionServer:
    """The server of the contract between master and agents."""

    def __init__(
        self, service: MasterService, pki: Pki, *, address: str, port: int, clock: Clock | None = None
    ) -> None:
        self._service = service
        self._pki = pki
        self._complaints = Complaints(log, clock or SystemClock())
        self._listen_on = f"{address}:{port}"
        self.port = port
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Serves until cancelled. Raises PortTaken."""
        server = grpc.aio.server(options=OPTIONS)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, self._handlers()),))
        try:
            self.port = server.add_secure_port(self._listen_on, self._credentials())
        except RuntimeError as error:
            raise PortTaken(
                f"cannot listen on session port {self._listen_on}: it is in use, or not an address of this machine"
            ) from error
        await server.start()
        self.listening.set()
        log.info("serving sessions on %s", self._listen_on)
        try:
            await server.wait_for_termination()
        finally:
            await server.stop(STOP_GRACE_S)

    def _credentials(self) -> Any:
        """Reads new certificates at the next handshake, so that a renewal needs no restart."""
        pair, served = self._pki.server, -1

        def fetch() -> Any:
            nonlocal served
            generation = self._pki.generation
            if generation == served:
                return None
            configuration = grpc.ssl_server_certificate_configuration(
                [(pair.key.read_bytes(), pair.certificate.read_bytes())], root_certificates=self._pki.ca_pem
            )
            served = generation
            return configuration

        def renewed() -> Any:
            try:
                return fetch()
            except OSError as error:
                self._complaints.log("(master)", f"cannot read the new certificate, the old one stays in use: {error}")
                return None

        return grpc.dynamic_ssl_server_credentials(fetch(), renewed, require_client_authentication=True)

    def _handlers(self) -> dict[str, Any]:
        service, messages = self._service, session_pb2
        unary: list[tuple[str, Callable[[Peer, Any], Awaitable[Any]], Any, Any]] = [
            ("Hello", service.hello, messages.HelloRequest, messages.HelloReply),
            ("Heartbeat", service.heartbeat, messages.HeartbeatRequest, messages.HeartbeatReply),
            ("ReportPods", service.report_pods, messages.PodReport, messages.PodReportReply),
            ("ReportEvents", service.report_events, messages.EventReport, messages.EventReply),
            ("ReportLeft", service.report_left, messages.LeftReport, messages.LeftReply),
            ("RenewCertificate", service.renew, messages.RenewRequest, messages.RenewReply),
            ("Token", service.token, messages.TokenRequest, messages.TokenReply),
            ("Membership", service.membership, messages.MembershipRequest, messages.MembershipReply),
            ("Drain", service.drain, messages.DrainRequest, messages.DrainReply),
            ("Leave", service.leave, messages.LeaveRequest, messages.LeaveReply),
        ]
        # The messages of Desired are already encoded: cuts are joins of bytes.
        return {
            "Desired": grpc.unary_stream_rpc_method_handler(self._desired),
            "Stream": grpc.stream_stream_rpc_method_handler(self._stream),
            **{
                name: grpc.unary_unary_rpc_method_handler(
                    self._unary(method, request), response_serializer=reply.SerializeToString
                )
                for name, method, request, reply in unary
            },
        }

    def _unary(
        self, method: Callable[[Peer, Any], Awaitable[Any]], request: type[Message]
    ) -> Callable[[bytes, Any], Awaitable[Any]]:
        async def call(raw: bytes, context: Any) -> Any:
            try:
                return await method(peer_of(context), parsed(request, raw))
            except Exception as error:  # noqa: BLE001  the boundary of a call: our own error must not end other calls
                await self._abort(context, error)

        return call

    async def _desired(self, raw: bytes, context: Any) -> AsyncIterator[bytes]:
        # Sent at once: a client that waits for the headers must not have to wait for the first change.
        await context.send_initial_metadata(())
        try:
            request = parsed(session_pb2.DesiredRequest, raw)
            async for message in self._service.desired_stream(peer_of(context), request):
                yield message
        except Exception as error:  # noqa: BLE001  as above
            await self._abort(context, error)

    async def _stream(self, _: AsyncIterator[bytes], context: Any) -> None:
        upstream = _AgentCall(context)
        try:
            try:
                async with asyncio.timeout(FIRST_MESSAGE_S):
                    first = await upstream.read()
            except TimeoutError:
                raise InvalidMessage(f"no message within {FIRST_MESSAGE_S:g} s; the first one has the ids") from None
            if first is None:
                raise InvalidMessage("the first message of a stream has its ids")
            await self._service.stream(peer_of(context), first, upstream)
        except Exception as error:  # noqa: BLE001  as above
            await self._abort(context, error)

    async def _abort(self, context: Any, error: Exception) -> None:
        """Ends the call with the error as a status, and logs it with the node's name."""
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        name = common_name(context)
        match error:
            case DispatchError():
                code, level, cause = grpc.StatusCode[error.status], logging.INFO, None
            case Invalid():
                code, level, cause = grpc.StatusCode.INVALID_ARGUMENT, logging.WARNING, None
            case ApiError() | StoreError():
                code, level, cause = grpc.StatusCode.UNAVAILABLE, logging.WARNING, None
            case _:
                code, level, cause = grpc.StatusCode.INTERNAL, logging.ERROR, error
        # The status is sent in a header, whose size is limited.
        text = (str(error) if cause is None else f"unexpected error: {error!r}")[:MAX_REASON]
        address = context.peer().rpartition(":")[0]
        self._complaints.log(contract.node_name(name) or name, f"{address}: {text}", level=level, cause=cause)
        await context.abort(code, text)


class _AgentCall:
    """A Stream call of an agent. Implements AgentCall."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def read(self) -> session_pb2.StreamUp | None:
        """The next message; None at the end. Raises InvalidMessage when it cannot be read."""
        raw = await self._context.read()
        return None if raw is grpc.aio.EOF else parsed(session_pb2.StreamUp, raw)

    async def send(self, message: session_pb2.StreamDown) -> None:
        await self._context.write(message.SerializeToString())


def parsed(kind: type[M], raw: bytes) -> M:
    """The decoded message. Raises InvalidMessage when the bytes are not of that type."""
    try:
        return kind.FromString(raw)
    except DecodeError as error:
        raise InvalidMessage(f"the message is not a valid {kind.DESCRIPTOR.name}: {error}") from error


def peer_of(context: Any) -> Peer:
    """The peer, by the connection's certificate. Raises Denied when the certificate is not a node's."""
    certificates = context.auth_context().get("x509_pem_cert", ())
    node = contract.node_name(common_name(context))
    if node is None or not certificates:
        raise Denied("only nodes may call: the certificate's common name is not system:node:NAME")
    certificate = certificates[0].decode()
    return Peer(node, contract.fingerprint(ssl.PEM_cert_to_DER_cert(certificate)), certificate)


def common_name(context: Any) -> str:
    """The certificate's common name; empty when it does not have exactly one."""
    names = context.auth_context().get("x509_common_name", ())
    return str(names[0].decode(errors="replace")) if len(names) == 1 else ""
