"""What a proxy changes in headers: those of single connections, the caller's secrets, and redirections."""

from __future__ import annotations

import pytest

from master.api.remote.proxyheaders import joined, redirected, request_headers, response_headers


def names(headers: object) -> list[str]:
    return [name for name, _ in headers]  # type: ignore[attr-defined]


def test_a_pod_sees_neither_the_token_nor_what_concerns_the_connection() -> None:
    sent = [
        *(("Connection", "close, X-Hop"), ("x-hop", "1"), ("Keep-Alive", "5"), ("TE", "trailers, gzip")),
        *(("authorization", "Bearer secret"), ("Impersonate-User", "u"), ("Impersonate-Extra-Scopes", "a")),
        *(("Cookie", "a=b"), ("Cookie", "c=d"), ("Expect", "100-continue")),
    ]
    kept = request_headers(sent, client="192.0.2.1", uri="/proxy/x", upgrade=False)
    assert kept == [
        *(("Cookie", "a=b"), ("Cookie", "c=d"), ("Te", "trailers")),
        *(("X-Forwarded-Uri", "/proxy/x"), ("X-Forwarded-For", "192.0.2.1")),
    ]


@pytest.mark.parametrize("upgrade", [False, True])
def test_nobody_tells_a_pod_that_he_is_another_user(upgrade: bool) -> None:
    """A pod may believe these headers, as the server of an aggregated API does."""
    claims = ("X-Remote-User", "x-remote-group", "X-Remote-Uid", "X-Remote-Extra-Scopes", "Impersonate-Extra-Scopes")
    kept = request_headers([(name, "admin") for name in claims], client="a", uri="/", upgrade=upgrade)
    assert "admin" not in [value for _, value in kept]


def test_an_upgrade_keeps_what_asks_for_it() -> None:
    sent = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Authorization", "Bearer x"),
        ("Transfer-Encoding", "chunked"),
        ("X-Forwarded-For", "a"),
    ]
    kept = request_headers(sent, client="b", uri="/", upgrade=True)
    assert kept == [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("X-Forwarded-For", "a, b")]


def test_a_client_sees_no_header_of_the_pods_connection() -> None:
    sent = [("Transfer-Encoding", "chunked"), ("Set-Cookie", "a"), ("Set-Cookie", "b"), ("Access-Control-Max-Age", "1")]
    kept = response_headers(sent, host="api", pod="10.244.0.5:80", prefix="/proxy")
    assert names(kept) == ["Set-Cookie", "Set-Cookie"]


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/a/../b/", "/proxy/b/"),
        ("//api/x?y#z", "//api/proxy/x?y#z"),
        ("https://api/proxy/x", "https://api/proxy/x"),
        ("http://10.244.0.5:80/x", "/proxy/x"),
        ("http://10.244.0.5:81/x", "http://10.244.0.5:81/x"),
        ("../x", "../x"),
        ("", ""),
        ("http://[broken/", "http://[broken/"),
    ],
)
def test_redirections(location: str, expected: str) -> None:
    assert redirected(location, host="api", pod="10.244.0.5:80", prefix="/proxy") == expected


@pytest.mark.parametrize(("path", "expected"), [("", "/p"), ("/", "/p/"), ("/a//b", "/p/a/b"), ("/a/", "/p/a/")])
def test_joined_paths(path: str, expected: str) -> None:
    assert joined("/p", path) == expected


def test_a_pod_does_not_see_the_token_among_the_subprotocols() -> None:
    token = "base64url.bearer.authorization.k8s.io.c2VjcmV0"
    given = [("Sec-WebSocket-Protocol", f"chat, {token}"), ("sec-websocket-protocol", token), ("X", token)]
    sent = request_headers(given, client="192.0.2.1", uri="/", upgrade=True)
    assert [each for each in sent if each[0] != "X-Forwarded-For"] == [("Sec-WebSocket-Protocol", "chat"), ("X", token)]
