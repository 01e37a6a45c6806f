"""What a proxy changes in the headers of a request and of its response. Pure.

The rules are those of kube-apiserver: its own (k8s.io/apimachinery, pkg/util/proxy), and those of Go's ReverseProxy,
which it uses (RFC 9110, section 7.6.1).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from multidict import CIMultiDict, CIMultiDictProxy

_HOP_BY_HOP: Final = (
    *("Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization"),
    *("Te", "Trailer", "Transfer-Encoding", "Upgrade"),
)
_CORS: Final = (
    *("Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods"),
    *("Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Access-Control-Max-Age"),
)
_OURS: Final = ("Authorization", "Impersonate-User", "Impersonate-Group", "Impersonate-Uid")
"""They are for the API server: a pod must not see the caller's token."""
_EXTRA: Final = "impersonate-extra-"

Headers = CIMultiDict[str] | CIMultiDictProxy[str]


def request_headers(headers: Headers, *, client: str, uri: str, upgrade: bool) -> CIMultiDict[str]:
    """The headers for the pod. `client`: the caller's address; `uri`: the path that the client has asked for.

    With `upgrade`, those that ask for the upgrade remain.
    """
    kept = _without(headers, () if upgrade else _HOP_BY_HOP)
    for name in (*_OURS, *(name for name in headers if name.lower().startswith(_EXTRA)), "Expect"):
        kept.popall(name, None)
    if not upgrade and "trailers" in headers.get("Te", "").lower():
        kept["Te"] = "trailers"
    before = ", ".join(kept.popall("X-Forwarded-For", []))
    kept["X-Forwarded-For"] = f"{before}, {client}" if before else client
    if not upgrade:
        kept["X-Forwarded-Uri"] = uri
    return kept


def response_headers(headers: Headers, *, host: str, pod: str, prefix: str) -> CIMultiDict[str]:
    """The headers for the client. `host`, `pod`: the hosts at which the client and we see the page; `prefix`: the path
    of the proxy, under which redirections stay."""
    kept = _without(headers, (*_HOP_BY_HOP, *_CORS))
    if location := kept.get("Location"):
        kept["Location"] = redirected(location, host=host, pod=pod, prefix=prefix)
    return kept


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


def _without(headers: Headers, names: Iterable[str]) -> CIMultiDict[str]:
    """A copy without these headers, and without those that only concern the connection, which it names itself."""
    kept: CIMultiDict[str] = CIMultiDict(headers)
    names = tuple(names)
    named = [name.strip() for value in headers.getall("Connection", ()) for name in value.split(",")] if names else []
    for name in (*names, *named):
        kept.popall(name, None)
    return kept
