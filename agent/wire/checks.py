"""Probes and hooks from the master's messages to the agent's values (handlers.py): pure conversions.

Brings numbers within bounds: no probe runs without a pause, and none needs no result.
"""

from __future__ import annotations

from agent import handlers
from proto.gen import desired_pb2


def checks_from_proto(container: desired_pb2.Container) -> handlers.Checks:
    """The probes and hooks of a container."""
    hooks = container.lifecycle
    return handlers.Checks(
        startup=_probe(container.startup_probe) if container.HasField("startup_probe") else None,
        liveness=_probe(container.liveness_probe) if container.HasField("liveness_probe") else None,
        readiness=_probe(container.readiness_probe) if container.HasField("readiness_probe") else None,
        post_start=_handler(hooks.post_start) if hooks.HasField("post_start") else None,
        pre_stop=_handler(hooks.pre_stop) if hooks.HasField("pre_stop") else None,
        stop_signal=hooks.stop_signal,
    )


def _probe(probe: desired_pb2.Probe) -> handlers.Probe:
    grace = probe.termination_grace_period_s if probe.HasField("termination_grace_period_s") else None
    return handlers.Probe(
        handler=_handler(probe.handler),
        initial_delay_s=max(0, probe.initial_delay_s),
        period_s=max(1, probe.period_s),
        timeout_s=max(1, probe.timeout_s),
        success_threshold=max(1, probe.success_threshold),
        failure_threshold=max(1, probe.failure_threshold),
        grace_period_s=None if grace is None else max(0, grace),
    )


def _handler(handler: desired_pb2.Handler) -> handlers.Handler:
    match handler.WhichOneof("action"):
        case "exec":
            return handlers.RunCommand(tuple(handler.exec.command))
        case "http_get":
            get = handler.http_get
            return handlers.HttpGet(
                port=get.port,
                path=get.path or "/",
                host=get.host,
                https=get.scheme == "HTTPS",
                headers=tuple((header.name, header.value) for header in get.headers),
                port_name=get.port_name,
            )
        case "tcp_socket":
            return handlers.TcpConnect(handler.tcp_socket.port, handler.tcp_socket.host, handler.tcp_socket.port_name)
        case "grpc":
            return handlers.GrpcCheck(handler.grpc.port, handler.grpc.service)
        case "sleep":
            return handlers.Sleep(max(0, handler.sleep.seconds))
        case _:
            return handlers.UnknownAction()
