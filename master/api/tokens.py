"""Tokens of service accounts: what they say, and what the API needs to know of their issuer (master/accounts)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from master.api.identity import Caller


@dataclass(frozen=True, slots=True)
class Named:
    """An object that a token names. The token is valid while an object with this uid exists."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Claims:
    """The content of a token. `pod`, `secret` and `node`: the objects to which it is bound, or that it mentions.

    A token that is bound to a pod mentions the pod's node, but remains valid without the node.
    """

    namespace: str
    account: Named
    audiences: tuple[str, ...]
    issued: datetime
    expires: datetime
    id: str = ""
    pod: Named | None = None
    secret: Named | None = None
    node: Named | None = None
    warn_after: datetime | None = None
    """From then on the token should have been replaced, although it is valid for longer."""


class Tokens(Protocol):
    """Issues tokens, and recognizes the callers that send them."""

    @property
    def issuer(self) -> str:
        """The URL that names the issuer in the tokens."""
        ...

    @property
    def algorithm(self) -> str:
        """How tokens are signed: a name of RFC 7518, such as `ES256`."""
        ...

    @property
    def audience(self) -> str:
        """The audience of tokens for this API server."""
        ...

    def issue(self, claims: Claims) -> str:
        """A signed token. It gets an id of its own."""
        ...

    def authenticate(self, token: str, audiences: Sequence[str] = ()) -> tuple[Caller, tuple[str, ...]]:
        """The caller that a token identifies, and those of the audiences that it is for.

        Without `audiences`, the token must be for this API server. Raises Unauthorized.
        """
        ...

    def keys(self) -> dict[str, object]:
        """The public keys with which others can verify tokens, as a JSON Web Key Set (RFC 7517)."""
        ...
