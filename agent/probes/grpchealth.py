"""gRPC probes: the call Check of the standard health service (grpc.health.v1).

Its two messages have one field each, so they are packed here by hand instead of by generated code.
"""

from __future__ import annotations

from typing import Final

import grpc
import grpc.aio

from agent.handlers import GrpcCheck
from agent.probes.interface import PASSED, Result, failure

_METHOD: Final = "/grpc.health.v1.Health/Check"
_STATUSES: Final = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_SERVING: Final = 1
_FIELD_STRING: Final = 0x0A
"""Field 1, length-delimited."""
_FIELD_NUMBER: Final = 0x08
"""Field 1, varint."""
_OPTIONS: Final = (
    ("grpc.primary_user_agent", "kube-probe/1.37"),
    ("grpc.enable_http_proxy", 0),
    # Each probe opens a connection of its own: an old one would hide that the server accepts none.
    ("grpc.use_local_subchannel_pool", 1),
)


async def probe(action: GrpcCheck, address: str, *, timeout_s: float) -> Result:
    """The result of a gRPC probe."""
    host = f"[{address}]" if ":" in address else address
    channel = grpc.aio.insecure_channel(f"{host}:{action.port}", options=_OPTIONS)
    try:
        check = channel.unary_unary(_METHOD, request_serializer=pack_request, response_deserializer=read_status)
        status = await check(action.service, timeout=timeout_s)
    except grpc.aio.AioRpcError as problem:
        return failure(_explained(problem, f"{host}:{action.port}", timeout_s))
    finally:
        await channel.close()
    if status == _SERVING:
        return PASSED
    name = _STATUSES[status] if status < len(_STATUSES) else str(status)
    return failure(f'service unhealthy (responded with "{name}")')


def pack_request(service: str) -> bytes:
    """HealthCheckRequest."""
    text = service.encode()
    if not text:
        return b""
    length, head = len(text), bytearray([_FIELD_STRING])
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*head, length]) + text


def read_status(response: bytes) -> int:
    """The status of a HealthCheckResponse; one without a known status is UNKNOWN (0)."""
    known = len(response) >= 2 and response[0] == _FIELD_NUMBER and response[1] < 0x80
    return response[1] if known else 0


def _explained(problem: grpc.aio.AioRpcError, server: str, timeout_s: float) -> str:
    details = problem.details() or ""
    match problem.code():
        case grpc.StatusCode.UNIMPLEMENTED:
            return f"error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {details}"
        case grpc.StatusCode.UNAVAILABLE:
            return f'error: failed to connect service "{server}": {details}'
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"timeout: health rpc did not complete within {timeout_s:g}s"
        case code:
            return f"error: health rpc failed: {code.name}: {details}"
