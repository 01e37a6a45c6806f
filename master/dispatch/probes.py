"""Converts the probes and lifecycle hooks of a container to messages of the contract.

Owns the pure conversions. Named ports are resolved here. Settings that no node carries out are in security.py.
"""

from __future__ import annotations

from master.kinds.core.pod.container import (
    Container,
    ContainerPort,
    HTTPGetAction,
    Lifecycle,
    LifecycleHandler,
    Probe,
    TCPSocketAction,
)
from proto.gen import desired_pb2 as wire

_MAX_NUMBER = (1 << 31) - 1
_DEFAULT_PERIOD_S = 10
_DEFAULT_FAILURES = 3


def probe_message(probe: Probe | None, container: Container) -> wire.Probe | None:
    """A probe; the defaults are those of the API, for objects that were stored without them."""
    if probe is None:
        return None
    return wire.Probe(
        handler=handler_message(probe, container),
        initial_delay_s=min(probe.initial_delay_seconds, _MAX_NUMBER),
        period_s=min(probe.period_seconds or _DEFAULT_PERIOD_S, _MAX_NUMBER),
        timeout_s=min(probe.timeout_seconds or 1, _MAX_NUMBER),
        success_threshold=min(probe.success_threshold or 1, _MAX_NUMBER),
        failure_threshold=min(probe.failure_threshold or _DEFAULT_FAILURES, _MAX_NUMBER),
        termination_grace_period_s=_limited(probe.termination_grace_period_seconds),
    )


def lifecycle_message(lifecycle: Lifecycle | None, container: Container) -> wire.Lifecycle | None:
    """The hooks and the stop signal of a container."""
    if lifecycle is None:
        return None
    post_start, pre_stop = lifecycle.post_start, lifecycle.pre_stop
    return wire.Lifecycle(
        post_start=None if post_start is None else handler_message(post_start, container),
        pre_stop=None if pre_stop is None else handler_message(pre_stop, container),
        stop_signal=lifecycle.stop_signal or "",
    )


def handler_message(handler: Probe | LifecycleHandler, container: Container) -> wire.Handler:
    """What a probe or a hook does. Of several actions, which the API refuses, the first one counts."""
    if handler.exec is not None:
        return wire.Handler(exec=wire.ExecAction(command=handler.exec.command))
    if handler.http_get is not None:
        return wire.Handler(http_get=_http_get(handler.http_get, container))
    if handler.tcp_socket is not None:
        return wire.Handler(tcp_socket=_tcp_socket(handler.tcp_socket, container))
    if isinstance(handler, Probe):
        grpc = handler.grpc
        return wire.Handler(grpc=None if grpc is None else wire.GrpcAction(port=grpc.port, service=grpc.service or ""))
    sleep = handler.sleep
    seconds = 0 if sleep is None else min(sleep.seconds, _MAX_NUMBER)
    return wire.Handler(sleep=None if sleep is None else wire.SleepAction(seconds=seconds))


def _http_get(action: HTTPGetAction, container: Container) -> wire.HttpGetAction:
    port, name = _port(action.port, container.ports)
    return wire.HttpGetAction(
        path=action.path,
        port=port,
        port_name=name,
        host=action.host,
        scheme=action.scheme or "HTTP",
        headers=[wire.HttpHeader(name=header.name, value=header.value) for header in action.http_headers],
    )


def _tcp_socket(action: TCPSocketAction, container: Container) -> wire.TcpSocketAction:
    port, name = _port(action.port, container.ports)
    return wire.TcpSocketAction(port=port, port_name=name, host=action.host)


def _port(port: int | str, ports: tuple[ContainerPort, ...]) -> tuple[int, str]:
    """The number and the name of a port; the number is 0 if no port has the name."""
    if isinstance(port, int):
        return port, ""
    if port.isdecimal():
        return min(int(port), 65535), ""
    return next((known.container_port for known in ports if known.name == port), 0), port


def _limited(seconds: int | None) -> int | None:
    return None if seconds is None else min(max(seconds, 0), _MAX_NUMBER)
