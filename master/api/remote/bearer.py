"""A bearer token among the subprotocols of a websocket: browsers can send no header with it. Pure.

The form is kube-apiserver's (k8s.io/apiserver, pkg/authentication/request/websocket): a prefix, and the token as
base64url without padding. It never reaches a pod, and is never chosen as the subprotocol.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from master.api.errors import Unauthorized

_PREFIX: Final = "base64url.bearer.authorization.k8s.io."


def divided(values: Sequence[str]) -> tuple[list[str], list[str]]:
    """The subprotocols in values of the header Sec-WebSocket-Protocol, in their order: those that have a token, and the
    others."""
    names = [name for value in values for each in value.split(",") if (name := each.strip())]
    tokens = [name for name in names if name.startswith(_PREFIX)]
    return tokens, [name for name in names if name not in tokens]


def token_of(values: Sequence[str]) -> str:
    """The token; empty without one. Raises Unauthorized if it has another form, or if it comes alone: the server has to
    answer with another subprotocol."""
    tokens, others = divided(values)
    if not tokens:
        return ""
    if len(tokens) > 1 or not others:
        raise Unauthorized(
            "Unauthorized: a token among the subprotocols needs another subprotocol, and no second token"
        )
    encoded = tokens[0].removeprefix(_PREFIX)
    try:
        if "=" in encoded:
            raise ValueError("padding")
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Unauthorized("Unauthorized: the token among the subprotocols is not base64url without padding") from error
