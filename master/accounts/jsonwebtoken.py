"""Tokens as text: JSON Web Tokens (RFC 7519) signed with ES256, with the claims that Kubernetes gives them.

Knows no objects of the cluster, and does not compare times: its caller decides whether a token is still valid.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm
from jwt.types import Options

from master.api.tokens import Claims, Named

ALGORITHM: Final = "ES256"
_PRIVATE: Final = "kubernetes.io"
# Verifying a signature takes longer than all else in a small request, and clients repeat their tokens.
_REMEMBERED: Final = 4096
# No token of ours is longer. Longer text is not decoded.
_LONGEST: Final = 16 << 10


class BadToken(ValueError):
    """The text is not a token that this key has signed."""


class JsonWebTokens:
    """Makes and reads the tokens of one issuer, a URL."""

    def __init__(self, key: EllipticCurvePrivateKey, issuer: str) -> None:
        self.issuer = issuer
        self._private = key
        self._public = key.public_key()
        encoded = self._public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._key_id = hashlib.sha256(encoded).hexdigest()[:43]
        self.read = lru_cache(maxsize=_REMEMBERED)(self._read)
        """The claims of a token whose signature is ours. Raises BadToken."""

    def sign(self, claims: Claims) -> str:
        """The token with these claims and a new id."""
        private: dict[str, Any] = {"namespace": claims.namespace, "serviceaccount": _named(claims.account)}
        for name, value in (("pod", claims.pod), ("secret", claims.secret), ("node", claims.node)):
            if value is not None:
                private[name] = _named(value)
        if claims.warn_after is not None:
            private["warnafter"] = int(claims.warn_after.timestamp())
        issued = int(claims.issued.timestamp())
        payload = {
            "aud": list(claims.audiences),
            "exp": int(claims.expires.timestamp()),
            "iat": issued,
            "iss": self.issuer,
            "jti": claims.id or str(uuid.uuid4()),
            _PRIVATE: private,
            "nbf": issued,
            "sub": f"system:serviceaccount:{claims.namespace}:{claims.account.name}",
        }
        return jwt.encode(payload, self._private, algorithm=ALGORITHM, headers={"kid": self._key_id})

    def _read(self, token: str) -> Claims:
        if len(token) > _LONGEST:
            raise BadToken("the token is too long")
        try:
            # Times are compared with the cluster's clock by the caller, audiences with those of the request.
            options: Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
            payload = jwt.decode(token, self._public, [ALGORITHM], options=options, issuer=self.issuer)
            return _claims(payload)
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadToken(f"not a token of this cluster: {error}") from error

    def keys(self) -> dict[str, object]:
        """The public key as a JSON Web Key Set (RFC 7517)."""
        key = json.loads(ECAlgorithm.to_jwk(self._public))
        return {"keys": [{"use": "sig", "kid": self._key_id, "alg": ALGORITHM, **key}]}


def _named(value: Named) -> dict[str, str]:
    return {"name": value.name, "uid": value.uid}


def _claims(payload: Mapping[str, Any]) -> Claims:
    private = payload[_PRIVATE]

    def bound(name: str) -> Named | None:
        return Named(**private[name]) if name in private else None

    return Claims(
        namespace=private["namespace"],
        account=Named(**private["serviceaccount"]),
        audiences=tuple(payload["aud"]),
        issued=datetime.fromtimestamp(payload["iat"], UTC),
        expires=datetime.fromtimestamp(payload["exp"], UTC),
        id=payload["jti"],
        pod=bound("pod"),
        secret=bound("secret"),
        node=bound("node"),
        warn_after=datetime.fromtimestamp(private["warnafter"], UTC) if "warnafter" in private else None,
    )
