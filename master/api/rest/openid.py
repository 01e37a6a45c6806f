"""OpenID Connect discovery: how other services verify the tokens of service accounts (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import web

from master.api.tokens import Tokens

CONFIGURATION: Final = "/.well-known/openid-configuration"
KEYS: Final = "/openid/v1/jwks"
_encode = msgspec.json.Encoder().encode
# Kubernetes lets clients keep the documents for an hour.
_HEADERS: Final = {"Cache-Control": "public, max-age=3600"}


class OpenId:
    """Answers requests for the configuration and for the keys. `server`: host and port that clients should use."""

    paths: Final = (CONFIGURATION, KEYS)

    def __init__(self, tokens: Tokens, server: str) -> None:
        self._tokens = tokens
        self._server = server

    def answer(self, path: str) -> web.Response | None:
        """The response; None for an unknown path."""
        if path == CONFIGURATION:
            return _document(self._configuration(), "application/json")
        return _document(self._tokens.keys(), "application/jwk-set+json") if path == KEYS else None

    def _configuration(self) -> dict[str, Any]:
        return {
            "issuer": self._tokens.issuer,
            "jwks_uri": f"https://{self._server}{KEYS}",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self._tokens.algorithm],
        }


def _document(value: Any, media: str) -> web.Response:
    return web.Response(body=_encode(value), headers={"Content-Type": media, **_HEADERS})
