"""HTTP probes and hooks: one GET request, and the redirects that it leads to.

As in the kubelet, a redirect to another host is not followed and counts as a warning, and at most ten are followed.
Bytes are read and written by http.py.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from agent.handlers import HttpGet
from agent.probes import http
from agent.probes.interface import MAX_OUTPUT, PASSED, Result, ResultKind, error, failure
from agent.probes.sockets import connect, reason

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS: Final = 10
_PORTS: Final = {"http": 80, "https": 443}
_SAFE: Final = "%/:=&?~+!$,;'@()*[]"
# Servers know probes by this name.
_USER_AGENT: Final = "kube-probe/1.37"


class HttpFailure(Exception):
    """The request got no answer."""


class PlainServer(HttpFailure):
    """A server of https does not speak TLS."""


@lru_cache(maxsize=512)
def url_of(action: HttpGet, address: str) -> str:
    """The URL of the request."""
    host = action.host or address
    path = quote(action.path.partition("#")[0], safe=_SAFE)
    slash = "" if path.startswith("/") else "/"
    bracketed = f"[{host}]" if ":" in host else host
    return f"{'https' if action.https else 'http'}://{bracketed}:{action.port}{slash}{path}"


async def probe(action: HttpGet, address: str) -> Result:
    """The result of an HTTP probe, without a time limit."""
    try:
        response = await get(action, address)
    except HttpFailure as problem:
        return failure(f'Get "{url_of(action, address)}": {problem}')
    except http.InvalidRequest as problem:
        return error(str(problem))
    if not 200 <= response.status < 400:
        return failure(f"HTTP probe failed with statuscode: {response.status}")
    if response.status >= 300:
        text = bytes(response.body[:MAX_OUTPUT]).decode(errors="replace")
        return Result(ResultKind.WARNING, f"Probe terminated redirects, Response body: {text}"[:MAX_OUTPUT])
    return PASSED


async def get(action: HttpGet, address: str) -> http.Response:
    """The last response; that may be a redirect to another host. Raises HttpFailure, http.InvalidRequest."""
    url, headers = url_of(action, address), action.headers
    for _ in range(_MAX_REDIRECTS):
        response = await _request(url, headers)
        if response.status not in _REDIRECTS or not response.location:
            return response
        try:
            following = urlsplit(target := urljoin(url, response.location))
            known = following.scheme in _PORTS and following.port != 0
        except ValueError:
            known = False
        if not known:
            raise HttpFailure(f"cannot follow the redirect to {response.location[:200]!r}")
        if following.hostname != urlsplit(url).hostname:
            return response
        if urlsplit(response.location).scheme:
            # An absolute URL brings its own host.
            headers = tuple(header for header in headers if header[0].lower() != "host")
        url = target
    raise HttpFailure(f"stopped after {_MAX_REDIRECTS} redirects")


async def _request(url: str, headers: tuple[tuple[str, str], ...]) -> http.Response:
    try:
        message, host, port, tls = _prepared(url, headers)
    except ValueError as problem:
        raise http.InvalidRequest(f"invalid URL: {problem}") from problem
    try:
        return await _exchange(message, host, port, tls=tls)
    except OSError as problem:
        plain = isinstance(problem, ssl.SSLError) and problem.reason == "WRONG_VERSION_NUMBER"
        raise (PlainServer if plain else HttpFailure)(f"{host}:{port}: {reason(problem)}") from problem
    except http.MalformedResponse as problem:
        raise HttpFailure(str(problem)) from problem


@lru_cache(maxsize=512)
def _prepared(url: str, headers: tuple[tuple[str, str], ...]) -> tuple[bytes, str, int, bool]:
    """The bytes of a request, and where they go: host, port, and whether by TLS. The same for every probe."""
    parts = urlsplit(url)
    # As in the kubelet, an empty value suppresses these two headers, and that of the host is never empty.
    headers = tuple(header for header in headers if header[1] or header[0].lower() != "host")
    own = {name.lower() for name, _ in headers}
    defaults = (("Host", parts.netloc), ("User-Agent", _USER_AGENT), ("Accept", "*/*"))
    given = (header for header in headers if header[1] or header[0].lower() not in ("user-agent", "accept"))
    wanted = [*(each for each in defaults if each[0].lower() not in own), *given]
    path = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    message = http.request(path, wanted)
    return message, parts.hostname or "", parts.port or _PORTS[parts.scheme], parts.scheme == "https"


async def _exchange(message: bytes, host: str, port: int, *, tls: bool) -> http.Response:
    connection = await connect(host, port, tls=tls)
    try:
        await connection.send(message)
        response = http.Response()
        while not response.complete:
            if data := await connection.receive():
                response.feed(data)
            else:
                response.end()
        return response
    finally:
        connection.close()
