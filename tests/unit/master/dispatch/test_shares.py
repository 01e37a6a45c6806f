"""Shares of the streams of a node: nobody gets all of them, and logs are counted apart."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from master.api.errors import TooManyRequests
from master.dispatch.shares import MAX_OF_NAMESPACE, MAX_OF_POD, Shares
from proto.contract import MAX_STREAMS
from proto.gen import session_pb2


def log_of(pod: str, namespace: str = "default") -> session_pb2.StreamRequest:
    source = session_pb2.LogRequest(pod_uid=f"uid of {pod}", namespace=namespace, pod=pod, container="app")
    return session_pb2.StreamRequest(logs=source)


def shell_in(pod: str, namespace: str = "default") -> session_pb2.StreamRequest:
    source = session_pb2.ProcessRequest(pod_uid=f"uid of {pod}", namespace=namespace, pod=pod, command=["sh"])
    return session_pb2.StreamRequest(exec=source)


QUERY = session_pb2.StreamRequest(node_query=session_pb2.NodeQuery(path="/healthz"))


def test_a_pod_gets_half_a_namespace_more_and_a_node_all() -> None:
    shares = Shares()
    with ExitStack() as open_:
        for number, request in [(MAX_OF_POD, log_of("a")), (MAX_OF_NAMESPACE - MAX_OF_POD, log_of("b"))]:
            for _ in range(number):
                open_.enter_context(shares.taken("n1", request))
        with pytest.raises(TooManyRequests, match=r"^pod default/a has 32 logs open already"):
            open_.enter_context(shares.taken("n1", log_of("a")))
        with pytest.raises(TooManyRequests, match=r"^namespace default on node n1 has 48 logs open already"):
            open_.enter_context(shares.taken("n1", log_of("b")))
        for _ in range(MAX_STREAMS - MAX_OF_NAMESPACE):
            open_.enter_context(shares.taken("n1", log_of("c", "other")))
        with pytest.raises(TooManyRequests, match=r"^node n1 has 64 logs open already"):
            open_.enter_context(shares.taken("n1", log_of("c", "other")))
        for request, node in ((shell_in("a"), "n1"), (log_of("a"), "n2"), (QUERY, "n1")):
            open_.enter_context(shares.taken(node, request))


def test_a_stream_that_ends_gives_its_places_back() -> None:
    shares = Shares()
    for _ in range(3 * MAX_STREAMS):
        with pytest.raises(ZeroDivisionError), shares.taken("n1", shell_in("a")):
            raise ZeroDivisionError
    with ExitStack() as open_:
        for _ in range(MAX_OF_POD):
            open_.enter_context(shares.taken("n1", shell_in("a")))
        with pytest.raises(TooManyRequests, match="streams open already"):
            open_.enter_context(shares.taken("n1", shell_in("a")))


def test_queries_of_a_node_have_the_node_s_bound_only() -> None:
    shares = Shares()
    with ExitStack() as open_:
        for _ in range(MAX_STREAMS):
            open_.enter_context(shares.taken("n1", QUERY))
        with pytest.raises(TooManyRequests, match=r"^node n1 has 64 streams open already"):
            open_.enter_context(shares.taken("n1", QUERY))
