"""The bytes of requests and responses, in pieces of every size."""

from __future__ import annotations

import pytest

from agent.handlers import HttpGet
from agent.probes.grpchealth import pack_request, read_status
from agent.probes.http import MAX_BODY, InvalidRequest, MalformedResponse, Response, request
from agent.probes.httpget import url_of

RESPONSES = [
    ("a length", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc"),
    ("up to the end", b"HTTP/1.0 500 Oh\r\n\r\nabc", 500, b"abc"),
    ("no reason", b"HTTP/1.1 204\r\n\r\n", 204, b""),
    ("bare line feeds", b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 200, b"x"),
    ("interim", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", 404, b""),
    (
        "chunks",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
        200,
        b"abc0123456789",
    ),
]


@pytest.mark.parametrize("piece", [1, 2, 7, 1000])
@pytest.mark.parametrize(("data", "status", "body"), [case[1:] for case in RESPONSES], ids=[c[0] for c in RESPONSES])
def test_a_response_in_pieces(data: bytes, status: int, body: bytes, piece: int) -> None:
    response = Response()
    for start in range(0, len(data), piece):
        response.feed(data[start : start + piece])
    if not response.complete:
        response.end()
    assert (response.status, bytes(response.body), response.complete) == (status, body, True)


@pytest.mark.parametrize("head", [b"Content-Length: 99999999\r\n", b"", b"Transfer-Encoding: chunked\r\n"])
def test_a_huge_body_is_not_read_to_its_end(head: bytes) -> None:
    response = Response()
    response.feed(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + (b"F4240\r\n" if b"chunked" in head else b""))
    for _ in range(20):
        if not response.complete:
            response.feed(b"x" * 1000)
    assert response.complete and len(response.body) <= MAX_BODY


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-10\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 6 + b"HTTP/1.1 204 X\r\n\r\n",
        b"x" * 100_000,
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
    ],
)
def test_a_malformed_response(data: bytes) -> None:
    response = Response()
    with pytest.raises(MalformedResponse):
        response.feed(data)
        response.end()


def test_a_request() -> None:
    assert request("/x?y=1", [("Host", "a:80"), ("X", "")]) == (
        b"GET /x?y=1 HTTP/1.1\r\nHost: a:80\r\nX: \r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize("header", [("A", "b\r\nC: d"), ("A\n", "b"), ("", "b"), ("A:", "b")])
def test_a_header_cannot_begin_another_one(header: tuple[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        request("/", [header])


@pytest.mark.parametrize(
    ("action", "url"),
    [
        (HttpGet(80), "http://10.0.0.2:80/"),
        (HttpGet(80, "health?full=1"), "http://10.0.0.2:80/health?full=1"),
        (HttpGet(443, "/a b%20c#d", https=True), "https://10.0.0.2:443/a%20b%20c"),
        (HttpGet(80, host="::1"), "http://[::1]:80/"),
    ],
)
def test_urls(action: HttpGet, url: str) -> None:
    assert url_of(action, "10.0.0.2") == url


@pytest.mark.parametrize(
    ("service", "packed"), [("", b""), ("db", b"\x0a\x02db"), ("x" * 200, b"\x0a\xc8\x01" + b"x" * 200)]
)
def test_a_health_request(service: str, packed: bytes) -> None:
    assert pack_request(service) == packed


@pytest.mark.parametrize(("response", "status"), [(b"", 0), (b"\x08\x01", 1), (b"\x08\x02", 2), (b"\x12\x01x", 0)])
def test_a_health_response(response: bytes, status: int) -> None:
    assert read_status(response) == status
