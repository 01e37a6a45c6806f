"""Who asks over HTTP: the client certificate says it. Bootstrap tokens serve for joining only."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from master.api.errors import Unauthorized
from master.api.identity import ANONYMOUS, AUTHENTICATED, Caller


def authenticate(request: web.BaseRequest) -> Caller:
    """The caller of a certificate that TLS has verified, or nobody known.

    A bearer token is no identity yet: it is refused rather than ignored, so that nobody believes it counts.
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
    """The common name is the user, the organizations are the groups; None without a common name."""
    name, groups = "", {AUTHENTICATED}
    for part in certificate.get("subject", ()):
        for key, value in part:
            if key == "commonName":
                name = value
            elif key == "organizationName":
                groups.add(value)
    return Caller(name, frozenset(groups)) if name else None
