"""The gRPC server of the session port: mutual TLS, who is speaking, and refusals as statuses.

Owns the transport only; what a call does is service.py's. The speaker is the certificate of the connection: its
common name says which node, its hash which identity.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc
import grpc.aio

from master.api.errors import ApiError
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
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
]

log = logging.getLogger(__name__)


class PortTaken(OSError):
    """The session port cannot be listened on."""


class SessionServer:
    """Serves the contract until cancelled."""

    def __init__(self, service: MasterService, pki: Pki, *, address: str, port: int) -> None:
        self._service = service
        self._pki = pki
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
        """Asks the files at each handshake, so that a renewed certificate is served without a restart."""
        pair, served = self._pki.server, 0

        def fetch() -> Any:
            nonlocal served
            written = pair.certificate.stat().st_mtime_ns
            if written == served:
                return None
            served = written
            return grpc.ssl_server_certificate_configuration(
                [(pair.key.read_bytes(), pair.certificate.read_bytes())], root_certificates=self._pki.ca_pem
            )

        return grpc.dynamic_ssl_server_credentials(fetch(), fetch, require_client_authentication=True)

    def _handlers(self) -> dict[str, Any]:
        service, messages = self._service, session_pb2
        unary: list[tuple[str, Callable[[Speaker, Any], Awaitable[Any]], Any, Any]] = [
            ("Hello", service.hello, messages.HelloRequest, messages.HelloReply),
            ("Heartbeat", service.heartbeat, messages.HeartbeatRequest, messages.HeartbeatReply),
            ("ReportPods", service.report_pods, messages.PodReport, messages.PodReportReply),
            ("ReportEvents", service.report_events, messages.EventReport, messages.EventReply),
            ("ReportLeft", service.report_left, messages.LeftReport, messages.LeftReply),
            ("RenewCertificate", service.renew, messages.RenewRequest, messages.RenewReply),
        ]
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                _unary(method), request_deserializer=request.FromString, response_serializer=reply.SerializeToString
            )
            for name, method, request, reply in unary
        }
        # Desired's messages are encoded already: cuts are joins of bytes.
        handlers["Desired"] = grpc.unary_stream_rpc_method_handler(
            self._desired, request_deserializer=messages.DesiredRequest.FromString, response_serializer=bytes
        )
        handlers["Stream"] = grpc.stream_stream_rpc_method_handler(
            self._stream,
            request_deserializer=messages.StreamUp.FromString,
            response_serializer=messages.StreamDown.SerializeToString,
        )
        return handlers

    async def _desired(self, request: session_pb2.DesiredRequest, context: Any) -> AsyncIterator[bytes]:
        # At once: a client that waits for the headers must not wait for the first change.
        await context.send_initial_metadata(())
        try:
            async for message in self._service.desired_stream(speaker(context), request):
                yield message
        except (DispatchError, ApiError, StoreError) as error:
            await _abort(context, error)

    async def _stream(self, requests: AsyncIterator[session_pb2.StreamUp], context: Any) -> None:
        try:
            first = await context.read()
            if first is grpc.aio.EOF:
                raise Misfit("a stream begins with its ids")
            await self._service.stream(speaker(context), first, _Upstream(context))
        except (DispatchError, ApiError, StoreError) as error:
            await _abort(context, error)


class _Upstream:
    """One call of Stream as log streams see it."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def read(self) -> session_pb2.StreamUp | None:
        message = await self._context.read()
        return None if message is grpc.aio.EOF else message

    async def grant(self, credit_bytes: int) -> None:
        await self._context.write(session_pb2.StreamDown(credit_bytes=credit_bytes))


def speaker(context: Any) -> Speaker:
    """Who calls, by the connection's certificate. Raises Denied when it is no node's."""
    auth = context.auth_context()
    names, certificates = auth.get("x509_common_name", ()), auth.get("x509_pem_cert", ())
    node = contract.node_name(names[0].decode()) if len(names) == 1 else None
    if node is None or not certificates:
        raise Denied("only nodes speak here: the certificate's common name is not system:node:NAME")
    return Speaker(node, contract.fingerprint(ssl.PEM_cert_to_DER_cert(certificates[0].decode())))


def _unary(method: Callable[[Speaker, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def call(request: Any, context: Any) -> Any:
        try:
            return await method(speaker(context), request)
        except (DispatchError, ApiError, StoreError) as error:
            await _abort(context, error)

    return call


async def _abort(context: Any, error: DispatchError | ApiError | StoreError) -> None:
    if isinstance(error, DispatchError):
        log.info("%s: %s", context.peer(), error)
        await context.abort(grpc.StatusCode[error.status], str(error))
    log.warning("%s: %s", context.peer(), error)
    await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
