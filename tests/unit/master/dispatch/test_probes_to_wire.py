"""Conversion of probes and hooks to messages, and what no node carries out."""

from __future__ import annotations

import pytest

from master.dispatch.convert import container_message
from master.dispatch.security import unsupported
from master.kinds.core.pod.container import (
    Container,
    ContainerPort,
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    HTTPHeader,
    Lifecycle,
    LifecycleHandler,
    Probe,
    SleepAction,
    TCPSocketAction,
)
from master.kinds.core.pod.model import PodSpec
from proto.gen import desired_pb2 as wire

PORTS = (ContainerPort(name="web", container_port=8080),)
GET = HTTPGetAction(
    path="/health", port="web", host="a", scheme="HTTPS", http_headers=(HTTPHeader(name="X", value="1"),)
)
ROWS = [
    (
        Probe(http_get=GET),
        wire.Handler(
            http_get=wire.HttpGetAction(
                path="/health",
                port=8080,
                port_name="web",
                host="a",
                scheme="HTTPS",
                headers=[wire.HttpHeader(name="X", value="1")],
            )
        ),
    ),
    (
        Probe(http_get=HTTPGetAction(port="none")),
        wire.Handler(http_get=wire.HttpGetAction(port_name="none", scheme="HTTP")),
    ),
    (Probe(tcp_socket=TCPSocketAction(port="81")), wire.Handler(tcp_socket=wire.TcpSocketAction(port=81))),
    (Probe(grpc=GRPCAction(port=5, service="db")), wire.Handler(grpc=wire.GrpcAction(port=5, service="db"))),
    (Probe(exec=ExecAction(command=("a", "b"))), wire.Handler(exec=wire.ExecAction(command=["a", "b"]))),
    (LifecycleHandler(sleep=SleepAction(seconds=5)), wire.Handler(sleep=wire.SleepAction(seconds=5))),
    (LifecycleHandler(sleep=SleepAction(seconds=0)), wire.Handler(sleep=wire.SleepAction())),
    (Probe(), wire.Handler()),
]


@pytest.mark.parametrize(("handler", "expected"), ROWS)
def test_handlers(handler: Probe | LifecycleHandler, expected: wire.Handler) -> None:
    if isinstance(handler, Probe):
        made = container_message(Container(name="a", image="i", ports=PORTS, liveness_probe=handler))
        assert made.liveness_probe.handler == expected
    else:
        made = container_message(Container(name="a", image="i", lifecycle=Lifecycle(pre_stop=handler)))
        assert made.lifecycle.pre_stop == expected


def test_numbers() -> None:
    probe = Probe(
        tcp_socket=TCPSocketAction(port=1),
        initial_delay_seconds=1,
        period_seconds=2,
        timeout_seconds=3,
        success_threshold=4,
        failure_threshold=5,
        termination_grace_period_seconds=6,
    )
    made = container_message(Container(name="a", image="i", readiness_probe=probe)).readiness_probe
    numbers = (made.initial_delay_s, made.period_s, made.timeout_s, made.success_threshold, made.failure_threshold)
    assert (*numbers, made.termination_grace_period_s) == (1, 2, 3, 4, 5, 6)


def test_a_stored_probe_without_defaults_gets_them() -> None:
    probe = Probe(tcp_socket=TCPSocketAction(port=1))
    made = container_message(Container(name="a", image="i", startup_probe=probe)).startup_probe
    assert (made.period_s, made.timeout_s, made.success_threshold, made.failure_threshold) == (10, 1, 1, 3)
    assert not made.HasField("termination_grace_period_s")


def test_hooks_and_stop_signal() -> None:
    hook = LifecycleHandler(exec=ExecAction(command=("x",)))
    made = container_message(
        Container(name="a", image="i", lifecycle=Lifecycle(post_start=hook, stop_signal="SIGQUIT"))
    ).lifecycle
    assert made.stop_signal == "SIGQUIT" and made.post_start.exec.command == ["x"] and not made.HasField("pre_stop")
    assert not container_message(Container(name="a", image="i")).HasField("lifecycle")


def test_what_no_node_carries_out_is_refused_by_name() -> None:
    container = Container(
        name="app",
        image="i",
        liveness_probe=Probe(http_get=HTTPGetAction(port=1, protocol="HTTP2")),
        readiness_probe=Probe(grpc=GRPCAction(port=1, mode="TLS")),
        startup_probe=Probe(grpc=GRPCAction(port=1, mode="Plaintext")),
        lifecycle=Lifecycle(pre_stop=LifecycleHandler(http_get=HTTPGetAction(port=1, protocol="HTTP2"))),
    )
    assert unsupported(PodSpec(containers=(container,))) == [
        "spec.containers[app].lifecycle.preStop.httpGet.protocol: HTTP2",
        "spec.containers[app].livenessProbe.httpGet.protocol: HTTP2",
        "spec.containers[app].readinessProbe.grpc.mode: TLS",
    ]
