"""One connection to the master over mutual TLS, and its calls; gRPC statuses become this room's errors.

Owns the channel, the parsing of messages and the mapping of statuses. Messages are parsed here because gRPC would log a
traceback for an unreadable one and return None. Each session has a connection of its own, so that neither gRPC's
back-off nor a half-dead connection delays the next session.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from agent.identity.files import Identity
from agent.session.errors import Lost, Occupied, Refused, SessionError, Stale
from agent.wire.errors import Garbled
from proto import contract
from proto.gen import session_pb2

_OPTIONS: Final[list[tuple[str, int]]] = [
    *contract.CHANNEL_LIMITS,
    # Do not share connections between channels: a new one must not wait because the last one failed.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
]

_REFUSALS: Final = frozenset(
    {
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
)

_SERVICE: Final = "/sampan.Master/"

T = TypeVar("T", bound=Message)


class Call(Protocol):
    """A bidirectional stream."""

    async def write(self, message: session_pb2.StreamUp) -> None: ...

    async def read(self) -> session_pb2.StreamDown | None:
        """The next message; None at the end. Raises Garbled."""
        ...

    async def done_writing(self) -> None: ...

    def cancel(self) -> bool: ...


class Master:
    """The master's calls over one connection. An async context manager that closes it."""

    def __init__(self, identity: Identity) -> None:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=identity.ca.encode(),
            private_key=identity.key.encode(),
            certificate_chain=identity.certificate.encode(),
        )
        self._channel = grpc.aio.secure_channel(identity.session_address, credentials, options=_OPTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close(None)

    async def hello(self, request: session_pb2.HelloRequest, timeout_s: float) -> session_pb2.HelloReply:
        return await _ask(self._channel, "Hello", request, timeout_s, session_pb2.HelloReply)

    async def heartbeat(self, request: session_pb2.HeartbeatRequest, timeout_s: float) -> session_pb2.HeartbeatReply:
        return await _ask(self._channel, "Heartbeat", request, timeout_s, session_pb2.HeartbeatReply)

    async def report_pods(self, request: session_pb2.PodReport, timeout_s: float) -> session_pb2.PodReportReply:
        return await _ask(self._channel, "ReportPods", request, timeout_s, session_pb2.PodReportReply)

    async def report_events(self, request: session_pb2.EventReport, timeout_s: float) -> session_pb2.EventReply:
        return await _ask(self._channel, "ReportEvents", request, timeout_s, session_pb2.EventReply)

    async def report_left(self, request: session_pb2.LeftReport, timeout_s: float) -> session_pb2.LeftReply:
        return await _ask(self._channel, "ReportLeft", request, timeout_s, session_pb2.LeftReply)

    async def renew(self, request: session_pb2.RenewRequest, timeout_s: float) -> session_pb2.RenewReply:
        return await _ask(self._channel, "RenewCertificate", request, timeout_s, session_pb2.RenewReply)

    async def token(self, request: session_pb2.TokenRequest, timeout_s: float) -> session_pb2.TokenReply:
        return await _ask(self._channel, "Token", request, timeout_s, session_pb2.TokenReply)

    async def membership(
        self, machine: session_pb2.Machine, timeout_s: float, *, uncordon: bool = False
    ) -> session_pb2.MembershipReply:
        request = session_pb2.MembershipRequest(machine=machine, uncordon=uncordon)
        return await _ask(self._channel, "Membership", request, timeout_s, session_pb2.MembershipReply)

    async def drain(self, machine: session_pb2.Machine, timeout_s: float) -> session_pb2.DrainReply:
        request = session_pb2.DrainRequest(machine=machine)
        return await _ask(self._channel, "Drain", request, timeout_s, session_pb2.DrainReply)

    async def leave(self, machine: session_pb2.Machine, timeout_s: float) -> session_pb2.LeaveReply:
        request = session_pb2.LeaveRequest(machine=machine)
        return await _ask(self._channel, "Leave", request, timeout_s, session_pb2.LeaveReply)

    async def desired(self, request: session_pb2.DesiredRequest) -> AsyncGenerator[session_pb2.DesiredMessage, None]:
        """Messages until the session ends; every end raises a SessionError."""
        method = self._channel.unary_stream(f"{_SERVICE}Desired", request_serializer=_encoded)
        try:
            async for raw in method(request):
                yield parsed(session_pb2.DesiredMessage, raw)
        except grpc.aio.AioRpcError as error:
            raise translated(error) from error
        raise Lost("the master closed the stream of desired state")

    def stream(self) -> Call:
        """Open a call that a log is sent over."""
        return _Stream(self._channel.stream_stream(f"{_SERVICE}Stream", request_serializer=_encoded)())


class _Stream:
    """One call of Stream; implements Call."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.write = call.write
        self.done_writing = call.done_writing
        self.cancel = call.cancel

    async def read(self) -> session_pb2.StreamDown | None:
        raw = await self._call.read()
        return None if raw is grpc.aio.EOF else parsed(session_pb2.StreamDown, raw)


async def _ask(channel: Any, method: str, request: Message, timeout_s: float, reply: type[T]) -> T:
    call = channel.unary_unary(f"{_SERVICE}{method}", request_serializer=_encoded)
    try:
        raw = await call(request, timeout=max(timeout_s, 0.01))
    except grpc.aio.AioRpcError as error:
        raise translated(error) from error
    return parsed(reply, raw)


def _encoded(message: Message) -> bytes:
    return message.SerializeToString()


def parsed(kind: type[T], raw: bytes) -> T:
    """The message. Raises Garbled when the bytes are not a message of that kind."""
    try:
        return kind.FromString(raw)
    except DecodeError as error:
        raise Garbled(f"the master's {kind.DESCRIPTOR.name} cannot be read: {error}") from error


def translated(error: grpc.aio.AioRpcError) -> SessionError:
    """The SessionError for a status: Lost, which is retried, unless the master refused."""
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.ALREADY_EXISTS:
        return Occupied(details)
    if code in _REFUSALS:
        return Refused(details)
    if code is grpc.StatusCode.FAILED_PRECONDITION:
        return Stale(details)
    return Lost(f"{code.name.lower().replace('_', ' ')}: {details}")
