"""What a proxy changes in the headers of a request and of its response. Pure.

The rules are those of kube-apiserver: its own (k8s.io/apimachinery, pkg/util/proxy), and those of Go's ReverseProxy,
which it uses (RFC 9110, section 7.6.1).
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from master.api.remote.bearer import divided

_HOP_BY_HOP: Final = (
    *("connection", "proxy-connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
    *("te", "trailer", "transfer-encoding", "upgrade"),
)
_CORS: Final = (
    *("access-control-allow-credentials", "access-control-allow-headers", "access-control-allow-methods"),
    *("access-control-allow-origin", "access-control-expose-headers", "access-control-max-age"),
)
_OURS: Final = (
    *("authorization", "impersonate-user", "impersonate-group", "impersonate-uid"),
    *("x-remote-user", "x-remote-group", "x-remote-uid"),
)
"""They are for the API server: a pod must not see the caller's token.

A pod that serves an aggregated API trusts `X-Remote-*`: they name the user. kube-apiserver drops them
(k8s.io/apiserver, pkg/endpoints/filters/authentication.go).
"""
_EXTRA: Final = ("impersonate-extra-", "x-remote-extra-")

Headers = Sequence[tuple[str, str]]
"""In their order; a name may be repeated."""


def request_headers(headers: Headers, *, client: str, uri: str, upgrade: bool) -> Headers:
    """The headers for the pod. `client`: the caller's address; `uri`: the path that the client has asked for.

    With `upgrade`, those that ask for the upgrade remain. The HTTP client that sends
    the request to the pod divides the body itself, and adds the header for that.
    """
    dropped = {*_OURS, "expect", "transfer-encoding", "x-forwarded-for"}
    if not upgrade:
        dropped |= {*_hop_by_hop(headers), "x-forwarded-uri"}
    kept = [(name, value) for name, value in headers if name.lower() not in dropped]
    kept = [(name, value) for name, value in kept if not name.lower().startswith(_EXTRA)]
    kept = [each for name, value in kept if (each := _without_token(name, value)) is not None]
    if not upgrade and any("trailers" in value.lower() for value in _values(headers, "te")):
        kept.append(("Te", "trailers"))
    if not upgrade:
        kept.append(("X-Forwarded-Uri", uri))
    return [*kept, ("X-Forwarded-For", ", ".join([*_values(headers, "x-forwarded-for"), client]))]


def _without_token(name: str, value: str) -> tuple[str, str] | None:
    """The header without a token of the caller's; None: it had nothing else."""
    tokens, others = divided([value]) if name.lower() == "sec-websocket-protocol" else ([], [])
    if not tokens:
        return name, value
    return (name, ", ".join(others)) if others else None


def response_headers(headers: Headers, *, host: str, pod: str, prefix: str) -> Headers:
    """The headers for the client. `host`, `pod`: the hosts at which the client and we see the page; `prefix`: the path
    of the proxy, under which redirections stay."""
    dropped = {*_CORS, *_hop_by_hop(headers)}
    return [
        (name, redirected(value, host=host, pod=pod, prefix=prefix) if name.lower() == "location" else value)
        for name, value in headers
        if name.lower() not in dropped
    ]


def redirected(location: str, *, host: str, pod: str, prefix: str) -> str:
    """Where a redirection leads for the client. Relative ones and those to other hosts stay as they are."""
    try:
        url = urlsplit(location)
    except ValueError:
        return location
    if (url.netloc and url.netloc not in (host, pod)) or not url.path.startswith("/"):
        return location
    path = url.path
    if not path.startswith(prefix):
        path = joined(prefix, path)
    if url.netloc and url.netloc == host:
        return url._replace(path=path).geturl()
    return url._replace(scheme="", netloc="", path=path).geturl()


def joined(prefix: str, path: str) -> str:
    """Both paths as one, without `.`, `..` and empty segments; a slash at the end stays."""
    plain = posixpath.normpath(f"{prefix}/{path}")
    return f"{plain}/" if path.endswith("/") and not plain.endswith("/") else plain


def _hop_by_hop(headers: Headers) -> set[str]:
    """The headers that concern the connection only: those of HTTP, and those that it names itself. In lower case."""
    named = (name for value in _values(headers, "connection") for name in value.split(","))
    return {*_HOP_BY_HOP, *(name.strip().lower() for name in named)}


def _values(headers: Headers, name: str) -> list[str]:
    return [value for key, value in headers if key.lower() == name]
