"""Joining: turns a token and a certificate signing request into a node's identity.

Owns the checks of bootstrap tokens (Kubernetes' Secrets of type bootstrap.kubernetes.io/token) and of node names, and
the reply. The REST route is in master/api, signing in master/pki, the stored identity in identities.py.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from master.api.errors import BadRequest, Conflict, Invalid, Unauthorized, Unavailable
from master.cache import Cache
from master.clock import Clock
from master.component.bootstraptoken import NAME_PREFIX, NAMESPACE, SECRET_TYPE
from master.dispatch.convert import node_address
from master.dispatch.identities import Certificate, CidrsExhausted, Identities, Identity, with_certificate
from master.kinds import NODE, SECRET
from master.kinds.core.secret import Secret
from master.objects.meta import parse_time
from master.pki import CsrRefused, Pki
from master.pki.authority import BACKDATE
from master.schema.cause import Cause as ApiCause
from proto import contract

_TOKEN: Final = re.compile(contract.TOKEN_PATTERN)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JoinAnswer:
    """The reply to a machine that has joined; certificates are PEM."""

    certificate: str
    ca: str
    cluster_id: str
    session_address: str


@dataclass(frozen=True, slots=True)
class JoinProspect:
    """What a join would meet: the cluster's networks, and what keeps the name or the address from being used."""

    cluster_cidr: str
    service_cidr: str
    name_taken: str
    address_taken_by: str


class JoinService:
    """Makes a machine a node. Implements the Protocol of this name in master/api/join.py."""

    def __init__(
        self,
        cache: Cache,
        identities: Identities,
        pki: Pki,
        clock: Clock,
        *,
        cluster_id: str,
        session_port: int,
        cidrs: tuple[str, str],
    ) -> None:
        """`cidrs`: of the cluster and of the services."""
        self._cache = cache
        self._identities = identities
        self._pki = pki
        self._clock = clock
        self._cluster_id = cluster_id
        self._session_port = session_port
        self._cidrs = cidrs

    async def join(self, token: str, node_name: str, csr_pem: str) -> JoinAnswer:
        """Signs the request when the token is valid and the name free. Raises ApiError otherwise."""
        self._check_token(token)
        check_node_name(node_name)
        try:
            certificate = self._pki.sign_node(csr_pem, node_name)
        except CsrRefused as error:
            raise BadRequest(str(error)) from error
        await self._register(node_name, certificate_of(certificate, self._pki))
        log.info("node %s: joined", node_name)
        session_address = f"{self._pki.config.address}:{self._session_port}"
        return JoinAnswer(certificate, self._pki.ca_pem.decode(), self._cluster_id, session_address)

    async def prospect(self, token: str, node_name: str, address: str, public_key: str) -> JoinProspect:
        """What a join would meet; writes nothing. Raises ApiError when the token or the name is invalid."""
        self._check_token(token)
        check_node_name(node_name)
        identity = await self._identities.get(node_name)
        taken = self._obstacle(node_name, identity, public_key)
        others = (node for node in self._cache.list(NODE) if node.metadata.name != node_name)
        holder = next((node.metadata.name for node in others if node_address(node) == address), "")
        return JoinProspect(*self._cidrs, name_taken=str(taken or ""), address_taken_by=holder)

    def _check_token(self, token: str) -> None:
        invalid = Unauthorized(
            "the join token is not valid: it is unknown, was deleted after it expired, or is not meant for joining; "
            "make a new one with `sampan token create`"
        )
        if not _TOKEN.fullmatch(token):
            raise Unauthorized("the join token is not of the form abcdef.0123456789abcdef")
        token_id, _, token_secret = token.partition(".")
        secret = self._cache.get(SECRET, NAMESPACE, NAME_PREFIX + token_id)
        known = _value(secret, "token-secret") if secret else ""
        # Compared even when there is no such token, so that the time taken reveals nothing.
        matches = hmac.compare_digest(known.encode(), token_secret.encode())
        if secret is None or not matches or secret.type != SECRET_TYPE or secret.metadata.deletion_timestamp:
            raise invalid
        if _value(secret, "token-id") != token_id or _value(secret, "usage-bootstrap-authentication") != "true":
            raise invalid
        expiration = _value(secret, "expiration")
        if expiration and moment(expiration) <= self._clock.now():
            raise Unauthorized(
                f"the join token {token_id} expired at {expiration}; make a new one with `sampan token create`"
            )

    async def _register(self, name: str, certificate: Certificate) -> None:
        identity = await self._identities.get(name)
        if obstacle := self._obstacle(name, identity, certificate.public_key):
            raise obstacle
        if identity is None or identity.removed:
            try:
                made = await self._identities.create(name, certificate, after=identity)
            except CidrsExhausted as error:
                raise Unavailable(str(error)) from error
            if made is None:
                raise _taken(name)
            return
        # Same key, so the same machine: the reply to its first attempt was lost, or its certificate has expired.
        if not await self._identities.replace(identity, with_certificate(identity, certificate)):
            raise _taken(name)

    def _obstacle(self, name: str, identity: Identity | None, public_key: str) -> Conflict | None:
        """Why the holder of this key cannot join under this name; None when it can."""
        if identity is None:
            # A Node that a person has created is for the machine that joins under its name.
            return None
        same = bool(public_key) and identity.public_key == public_key
        if identity.removed:
            # Another machine may take the name of a deleted node. The deleted one must clean up before it joins again.
            return _not_left(name) if same else None
        return None if same else _taken(name)


def check_node_name(name: str) -> None:
    """Raises Invalid unless the name is a DNS subdomain in lower case that fits into a certificate."""
    if not contract.is_node_name(name):
        message = f"{name[:64]!r} is not a valid node name: {contract.NODE_NAME_FORM}"
        raise Invalid(message, causes=[ApiCause("FieldValueInvalid", message, "nodeName")])


def certificate_of(certificate_pem: str, pki: Pki) -> Certificate:
    """The properties to keep of a certificate that we signed. Signing the same key again keeps its hash."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    info = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Certificate(
        fingerprint=contract.fingerprint(ssl.PEM_cert_to_DER_cert(certificate_pem)),
        public_key=hashlib.sha256(info).hexdigest(),
        issuer=next((ca.fingerprint for ca in pki.authorities if ca.issued(certificate)), ""),
        not_after=certificate.not_valid_after_utc.isoformat(timespec="seconds"),
    )


def _taken(name: str) -> Conflict:
    return Conflict(
        f'a node "{name}" already exists; delete it first (kubectl delete node {name}), or join under another name'
    )


def _not_left(name: str) -> Conflict:
    return Conflict(
        f'node "{name}" was deleted and this machine has not cleaned up yet: start its agent once more, which cleans '
        "up and reports it, or run `sampan reset`; then join"
    )


def _value(secret: Secret, key: str) -> str:
    try:
        return base64.b64decode(secret.data.get(key, "")).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def issued_at(certificate_pem: str) -> datetime:
    """When we signed the certificate."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(certificate_pem.encode()).not_valid_before_utc + BACKDATE


def moment(text: str) -> datetime:
    """The parsed time; the distant past when it cannot be parsed, so that it counts as expired."""
    try:
        return parse_time(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
