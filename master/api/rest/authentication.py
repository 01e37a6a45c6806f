"""Authentication over HTTP: by client certificate, or by the token of a service account, which websockets may also have
among their subprotocols.

Bootstrap tokens are for joining only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from aiohttp import web

from master.api.errors import Unauthorized
from master.api.identity import ANONYMOUS, AUTHENTICATED, Caller
from master.api.remote.bearer import token_of
from master.api.remote.websockets import is_websocket, protocol_values
from master.api.tokens import Tokens


def authenticate(request: web.BaseRequest, tokens: Tokens) -> Caller:
    """The caller that the client certificate names, which TLS has verified; without one, the caller of the token in the
    header Authorization, or among the subprotocols; without all of them, ANONYMOUS. Raises Unauthorized for other
    content of the header.
    """
    certificate = request.transport.get_extra_info("peercert") if request.transport else None
    if certificate:
        caller = caller_of(certificate)
        if caller is not None:
            return caller
    authorization = request.headers.get("Authorization")
    if authorization is None:
        token = token_of(protocol_values(request)) if is_websocket(request) else ""
        return tokens.authenticate(token)[0] if token else ANONYMOUS
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("Unauthorized: the header Authorization must be `Bearer TOKEN`")
    return tokens.authenticate(token.strip())[0]


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
