"""Authentication over HTTP: the client certificate names the caller. Bootstrap tokens are for joining only."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from aiohttp import web

from master.api.errors import Unauthorized
from master.api.identity import ANONYMOUS, AUTHENTICATED, Caller


def authenticate(request: web.BaseRequest) -> Caller:
    """The caller that the client certificate names, which TLS has verified; without one ANONYMOUS.

    Raises Unauthorized for a bearer token: if it were ignored, its sender would not notice that tokens are not
    supported yet.
    """
    certificate = request.transport.get_extra_info("peercert") if request.transport else None
    if certificate:
        caller = caller_of(certificate)
        if caller is not None:
            return caller
    if request.headers.get("Authorization"):
        raise Unauthorized("Unauthorized: tokens are accepted for joining only; use a client certificate")
    return ANONYMOUS


def caller_of(certificate: dict[str, Any]) -> Caller | None:
    """The caller of a certificate: its common name is the user, its organizations are the groups.

    None without a common name. `certificate` is what `SSLSocket.getpeercert` returns.
    """
    return _caller_of(certificate.get("subject", ()))


@lru_cache(maxsize=1024)
def _caller_of(subject: tuple[tuple[tuple[str, str], ...], ...]) -> Caller | None:
    name, groups = "", {AUTHENTICATED}
    for part in subject:
        for key, value in part:
            if key == "commonName":
                name = value
            elif key == "organizationName":
                groups.add(value)
    return Caller(name, frozenset(groups)) if name else None
