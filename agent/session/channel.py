"""One connection to the master: mutual TLS, and its calls with gRPC's statuses as this package's errors.

Owns the channel and the mapping of statuses. A connection is made for one session and dropped with it, so that
gRPC's own back-off and half-dead connections never stand between us and the master.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

import grpc
import grpc.aio

from agent.identity.files import Identity
from agent.session.errors import Lost, Refused, SessionError, Stale
from proto import contract
from proto.gen import session_pb2, session_pb2_grpc

_OPTIONS: Final[list[tuple[str, int]]] = [
    ("grpc.max_receive_message_length", contract.MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", contract.MAX_MESSAGE_BYTES),
    # Each try is a connection of its own: nothing remembers that the last one failed.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
]

_REFUSALS: Final = frozenset(
    {
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
)

T = TypeVar("T")


class Call(Protocol):
    """A bidirectional stream."""

    async def write(self, message: session_pb2.StreamUp) -> None: ...

    async def read(self) -> Any: ...

    async def done_writing(self) -> None: ...

    def cancel(self) -> bool: ...


class Master:
    """The master's side of the contract, as one connection gives it. An async context manager."""

    def __init__(self, identity: Identity) -> None:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=identity.ca.encode(),
            private_key=identity.key.encode(),
            certificate_chain=identity.certificate.encode(),
        )
        self._channel = grpc.aio.secure_channel(identity.session_address, credentials, options=_OPTIONS)
        self._stub: Any = session_pb2_grpc.MasterStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close(None)

    async def hello(self, request: session_pb2.HelloRequest, timeout_s: float) -> session_pb2.HelloReply:
        return await _ask(self._stub.Hello, request, timeout_s, session_pb2.HelloReply)

    async def heartbeat(self, request: session_pb2.HeartbeatRequest, timeout_s: float) -> session_pb2.HeartbeatReply:
        return await _ask(self._stub.Heartbeat, request, timeout_s, session_pb2.HeartbeatReply)

    async def report_pods(self, request: session_pb2.PodReport, timeout_s: float) -> session_pb2.PodReportReply:
        return await _ask(self._stub.ReportPods, request, timeout_s, session_pb2.PodReportReply)

    async def report_events(self, request: session_pb2.EventReport, timeout_s: float) -> session_pb2.EventReply:
        return await _ask(self._stub.ReportEvents, request, timeout_s, session_pb2.EventReply)

    async def report_left(self, request: session_pb2.LeftReport, timeout_s: float) -> session_pb2.LeftReply:
        return await _ask(self._stub.ReportLeft, request, timeout_s, session_pb2.LeftReply)

    async def renew(self, request: session_pb2.RenewRequest, timeout_s: float) -> session_pb2.RenewReply:
        return await _ask(self._stub.RenewCertificate, request, timeout_s, session_pb2.RenewReply)

    async def desired(self, request: session_pb2.DesiredRequest) -> AsyncGenerator[session_pb2.DesiredMessage, None]:
        """Messages until the session ends; the end is an error too."""
        try:
            async for message in self._stub.Desired(request):
                yield message
        except grpc.aio.AioRpcError as error:
            raise translated(error) from error
        raise Lost("the master closed the stream of desired state")

    def stream(self) -> Call:
        """Open a stream for a log."""
        call: Call = self._stub.Stream()
        return call


async def _ask(method: Any, request: Any, timeout_s: float, reply: type[T]) -> T:
    try:
        answer = await method(request, timeout=max(timeout_s, 0.01))
    except grpc.aio.AioRpcError as error:
        raise translated(error) from error
    assert isinstance(answer, reply)
    return answer


def translated(error: grpc.aio.AioRpcError) -> SessionError:
    """The status as one of ours; what is no refusal is worth another try."""
    code, details = error.code(), error.details() or ""
    if code in _REFUSALS:
        return Refused(details)
    if code is grpc.StatusCode.FAILED_PRECONDITION:
        return Stale(details)
    return Lost(f"{code.name.lower().replace('_', ' ')}: {details}")
