"""Authentication by the tokens of service accounts: a token is valid as long as the objects that it names exist."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from master.accounts.jsonwebtoken import ALGORITHM, BadToken, JsonWebTokens
from master.api.errors import Unauthorized
from master.api.identity import AUTHENTICATED, Caller
from master.api.tokens import Claims, Named
from master.cache import Cache
from master.clock import Clock
from master.kinds import NODE, POD, SECRET, SERVICEACCOUNT
from master.objects.meta import parse_time
from master.registry.resource import Resource

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
_EXTRA: Final = "authentication.kubernetes.io"
# A pod that is being deleted may need its token for its last requests, as in Kubernetes.
_LEEWAY: Final = timedelta(seconds=60)


class AccountTokens:
    """The tokens of the cluster's service accounts."""

    def __init__(self, key: EllipticCurvePrivateKey, cache: Cache, clock: Clock) -> None:
        self._texts = JsonWebTokens(key, ISSUER)
        self._cache = cache
        self._clock = clock

    @property
    def issuer(self) -> str:
        return self._texts.issuer

    @property
    def algorithm(self) -> str:
        return ALGORITHM

    @property
    def audience(self) -> str:
        return ISSUER

    def issue(self, claims: Claims) -> str:
        return self._texts.sign(claims)

    def keys(self) -> dict[str, object]:
        return self._texts.keys()

    def authenticate(self, token: str, audiences: Sequence[str] = ()) -> tuple[Caller, tuple[str, ...]]:
        try:
            claims = self._texts.read(token)
        except BadToken as error:
            raise Unauthorized("Unauthorized: invalid bearer token") from error
        common = tuple(audience for audience in audiences or (ISSUER,) if audience in claims.audiences)
        if not common:
            raise Unauthorized("Unauthorized: the token is not for this audience")
        now = self._clock.now()
        # A token from the future is our own: the clock was set back since then.
        if now >= claims.expires:
            raise Unauthorized("Unauthorized: the token has expired")
        self._check_objects(claims, now)
        return _caller(claims), common

    def _check_objects(self, claims: Claims, now: datetime) -> None:
        """Raises Unauthorized unless all objects exist on which the token depends."""
        namespace = claims.namespace
        bound: list[tuple[Resource[Any], str, Named | None]] = [
            (SERVICEACCOUNT, namespace, claims.account),
            (POD, namespace, claims.pod),
            (SECRET, namespace, claims.secret),
            (NODE, "", claims.node if claims.pod is None else None),
        ]
        for resource, scope, named in bound:
            if named is not None and not self._exists(resource, scope, named, now):
                raise Unauthorized(f"Unauthorized: the {resource.singular} of the token does not exist any more")

    def _exists(self, resource: Resource[Any], namespace: str, named: Named, now: datetime) -> bool:
        entry = self._cache.entry(resource, namespace, named.name)
        if entry is None or entry.meta.uid != named.uid:
            return False
        deleted = entry.meta.deletion_timestamp
        return not deleted or now < parse_time(deleted) + _LEEWAY


def _caller(claims: Claims) -> Caller:
    extra = {"credential-id": f"JTI={claims.id}"}
    if claims.pod is not None:
        extra |= {"pod-name": claims.pod.name, "pod-uid": claims.pod.uid}
    if claims.node is not None:
        extra |= {"node-name": claims.node.name, "node-uid": claims.node.uid}
    return Caller(
        f"system:serviceaccount:{claims.namespace}:{claims.account.name}",
        frozenset({"system:serviceaccounts", f"system:serviceaccounts:{claims.namespace}", AUTHENTICATED}),
        claims.account.uid,
        tuple((f"{_EXTRA}/{name}", (value,)) for name, value in sorted(extra.items())),
    )
