"""The gRPC server of the session port: mutual TLS, who is speaking, and refusals as statuses.

Owns the transport only; what a call does is service.py's. The speaker is the certificate of the connection: its
common name says which node, its hash which identity. Messages are parsed here and not by gRPC, which would answer one
that cannot be read with a status and a traceback of its own.
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
from master.dispatch.errors import Denied, DispatchError, Misfit
from master.dispatch.service import MasterService, Speaker
from master.pki import Pki
from master.store.errors import StoreError
from proto import contract
from proto.gen import session_pb2

SERVICE: Final = "sampan.Master"
STOP_GRACE_S: Final = 0.2

OPTIONS: Final[list[tuple[str, int]]] = [
    ("grpc.max_receive_message_length", contract.MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", contract.MAX_MESSAGE_BYTES),
    # Two masters on one port must be an error, not a lottery.
    ("grpc.so_reuseport", 0),
    # When all nodes reconnect at once the default caps cancel some of them.
    ("grpc.server.max_pending_requests", 10_000),
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
    # A node that vanished without a word leaves a connection: found out within half a minute.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    # An agent has one stream of desired state, its reports, and 64 logs.
    ("grpc.max_concurrent_streams", 128),
    # Who connects and says nothing keeps a descriptor for this long only.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 60_000),
]
FIRST_MESSAGE_S: Final = 10.0
"""How long a stream may be open without its first message."""
MAX_REASON: Final = 1000
"""Characters of what a peer is told."""

M = TypeVar("M", bound=Message)

log = logging.getLogger(__name__)


class PortTaken(OSError):
    """The session port cannot be listened on."""


class SessionServer:
    """Serves the contract until cancelled."""

    def __init__(
        self, service: MasterService, pki: Pki, *, address: str, port: int, clock: Clock | None = None
    ) -> None:
        self._service = service
        self._pki = pki
        self._complaints = Complaints(log, clock or SystemClock())
        self._where = f"{address}:{port}"
        self.port = port
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Listen, serve, and stop when cancelled. Raises PortTaken."""
        server = grpc.aio.server(options=OPTIONS)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, self._handlers()),))
        try:
            self.port = server.add_secure_port(self._where, self._credentials())
        except RuntimeError as error:
            raise PortTaken(
                f"session port {self._where} cannot be listened on: it is in use, or no address of this machine"
            ) from error
        await server.start()
        self.listening.set()
        log.info("sessions on %s", self._where)
        try:
            await server.wait_for_termination()
        finally:
            await server.stop(STOP_GRACE_S)

    def _credentials(self) -> Any:
        """Asks at each handshake whether there is something new, so that it is served without a restart."""
        pair, served = self._pki.server, -1

        def fetch() -> Any:
            nonlocal served
            generation = self._pki.generation
            if generation == served:
                return None
            found = grpc.ssl_server_certificate_configuration(
                [(pair.key.read_bytes(), pair.certificate.read_bytes())], root_certificates=self._pki.ca_pem
            )
            served = generation
            return found

        def renewed() -> Any:
            try:
                return fetch()
            except OSError as error:
                self._complaints.tell("(master)", f"served with the certificate from before: {error}")
                return None

        return grpc.dynamic_ssl_server_credentials(fetch(), renewed, require_client_authentication=True)

    def _handlers(self) -> dict[str, Any]:
        service, messages = self._service, session_pb2
        unary: list[tuple[str, Callable[[Speaker, Any], Awaitable[Any]], Any, Any]] = [
            ("Hello", service.hello, messages.HelloRequest, messages.HelloReply),
            ("Heartbeat", service.heartbeat, messages.HeartbeatRequest, messages.HeartbeatReply),
            ("ReportPods", service.report_pods, messages.PodReport, messages.PodReportReply),
            ("ReportEvents", service.report_events, messages.EventReport, messages.EventReply),
            ("ReportLeft", service.report_left, messages.LeftReport, messages.LeftReply),
            ("RenewCertificate", service.renew, messages.RenewRequest, messages.RenewReply),
            ("Membership", service.membership, messages.MembershipRequest, messages.MembershipReply),
            ("Drain", service.drain, messages.DrainRequest, messages.DrainReply),
            ("Leave", service.leave, messages.LeaveRequest, messages.LeaveReply),
        ]
        # What is sent on Desired is encoded already: cuts are joins of bytes.
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
        self, method: Callable[[Speaker, Any], Awaitable[Any]], request: type[Message]
    ) -> Callable[[bytes, Any], Awaitable[Any]]:
        async def call(raw: bytes, context: Any) -> Any:
            try:
                return await method(speaker(context), parsed(request, raw))
            except Exception as error:  # noqa: BLE001  the call's boundary: an error of ours ends no other call
                await self._abort(context, error)

        return call

    async def _desired(self, raw: bytes, context: Any) -> AsyncIterator[bytes]:
        # At once: a client that waits for the headers must not wait for the first change.
        await context.send_initial_metadata(())
        try:
            request = parsed(session_pb2.DesiredRequest, raw)
            async for message in self._service.desired_stream(speaker(context), request):
                yield message
        except Exception as error:  # noqa: BLE001  as above
            await self._abort(context, error)

    async def _stream(self, _: AsyncIterator[bytes], context: Any) -> None:
        upstream = _Upstream(context)
        try:
            try:
                async with asyncio.timeout(FIRST_MESSAGE_S):
                    first = await upstream.read()
            except TimeoutError:
                raise Misfit(f"no message within {FIRST_MESSAGE_S:g} s; a stream begins with its ids") from None
            if first is None:
                raise Misfit("a stream begins with its ids")
            await self._service.stream(speaker(context), first, upstream)
        except Exception as error:  # noqa: BLE001  as above
            await self._abort(context, error)

    async def _abort(self, context: Any, error: Exception) -> None:
        """The error as a status; told once, with the node's name."""
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        name = caller(context)
        match error:
            case DispatchError():
                code, level, cause = grpc.StatusCode[error.status], logging.INFO, None
            case Invalid():
                code, level, cause = grpc.StatusCode.INVALID_ARGUMENT, logging.WARNING, None
            case ApiError() | StoreError():
                code, level, cause = grpc.StatusCode.UNAVAILABLE, logging.WARNING, None
            case _:
                code, level, cause = grpc.StatusCode.INTERNAL, logging.ERROR, error
        # The status travels in a header, whose size is bounded too.
        text = (str(error) if cause is None else f"unexpected error: {error!r}")[:MAX_REASON]
        address = context.peer().rpartition(":")[0]
        self._complaints.tell(contract.node_name(name) or name, f"{address}: {text}", level=level, cause=cause)
        await context.abort(code, text)


class _Upstream:
    """One call of Stream as log streams see it."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def read(self) -> session_pb2.StreamUp | None:
        """The next message; None at the end. Raises Misfit when it cannot be read."""
        raw = await self._context.read()
        return None if raw is grpc.aio.EOF else parsed(session_pb2.StreamUp, raw)

    async def grant(self, credit_bytes: int) -> None:
        await self._context.write(session_pb2.StreamDown(credit_bytes=credit_bytes).SerializeToString())


def parsed(kind: type[M], raw: bytes) -> M:
    """The message. Raises Misfit when the bytes are none of that kind."""
    try:
        return kind.FromString(raw)
    except DecodeError as error:
        raise Misfit(f"the message is no {kind.DESCRIPTOR.name}: {error}") from error


def speaker(context: Any) -> Speaker:
    """Who calls, by the connection's certificate. Raises Denied when it is no node's."""
    certificates = context.auth_context().get("x509_pem_cert", ())
    node = contract.node_name(caller(context))
    if node is None or not certificates:
        raise Denied("only nodes speak here: the certificate's common name is not system:node:NAME")
    certificate = certificates[0].decode()
    return Speaker(node, contract.fingerprint(ssl.PEM_cert_to_DER_cert(certificate)), certificate)


def caller(context: Any) -> str:
    """The certificate's common name; empty when it has not exactly one."""
    names = context.auth_context().get("x509_common_name", ())
    return str(names[0].decode(errors="replace")) if len(names) == 1 else ""
