"""The identities of nodes in the store: which certificate is accepted for which node, and its reserved pod CIDR.

Owns `/identity/node/NAME` and `/unique/podcidr/CIDR`, always written together. The API marks an identity *removed* in
the commit that deletes its Node. This module frees it when the agent has left, or after a day. When another machine
joins under the name first, only the pod CIDR stays reserved for that day. Signs nothing: that is join.py.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Network
from typing import Any, Final

import msgspec

from master.clock import Clock
from master.store.errors import StoreError
from master.store.interface import Compare, CompareFailed, Delete, Put, Store

PREFIX: Final = "/identity/node/"
CIDR_PREFIX: Final = "/unique/podcidr/"
ACTIVE: Final = "active"
REMOVED: Final = "removed"
_ABANDONED: Final = b"abandoned "
"""Begins the value of a pod CIDR's key, followed by the time, after another machine has taken the node's name."""
RESTORED_KEY: Final = "/meta/restored"
"""Written by a restore: when the backup was made and when it was restored, RFC 3339."""
KEEP: Final = timedelta(hours=24)
"""How long the pod CIDR of a removed node stays reserved when its agent does not return, and the name of a node that
joined and never said Hello."""

SWEEP_S: Final = 600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """A node's identity as stored."""

    name: str
    fingerprint: str
    """The fingerprint of the accepted certificate."""
    state: str
    pod_cidr: str
    machine_id: str = ""
    """The machine that last sent Hello; empty before the first Hello."""
    public_key: str = ""
    """Hash of the certified key: a join whose reply was lost may be repeated with the same key."""
    previous_fingerprint: str = ""
    """Still accepted until the new certificate has been used, because the reply to a renewal can be lost."""
    joined_at: str = ""
    """RFC 3339."""
    removed_at: str = ""
    """When the Node was deleted, or when `sweep` first noticed; RFC 3339."""
    issuer: str = ""
    """Fingerprint of the CA that signed the certificate; empty when an older release wrote the record."""
    not_after: str = ""
    """The certificate's end, RFC 3339."""
    trusted: tuple[str, ...] = ()
    """Fingerprints of the CAs that the agent last reported to trust; none when its protocol version does not report."""
    renew: bool = False
    """The node is to renew its certificate."""
    mod_revision: int = 0

    @property
    def removed(self) -> bool:
        return self.state == REMOVED

    def encode(self) -> bytes:
        return msgspec.json.encode(
            {
                "fingerprint": self.fingerprint,
                "state": self.state,
                "podCIDR": self.pod_cidr,
                "machineId": self.machine_id,
                "publicKey": self.public_key,
                "previousFingerprint": self.previous_fingerprint,
                "joinedAt": self.joined_at,
                "removedAt": self.removed_at,
                "issuer": self.issuer,
                "notAfter": self.not_after,
                "trusted": self.trusted,
                "renew": self.renew,
            }
        )


@dataclass(frozen=True, slots=True)
class Certificate:
    """The properties of a node's certificate that an Identity keeps, under the same names."""

    fingerprint: str
    public_key: str
    issuer: str
    not_after: str


def with_certificate(identity: Identity, certificate: Certificate) -> Identity:
    """The identity with its certificate replaced."""
    return replace(
        identity,
        fingerprint=certificate.fingerprint,
        public_key=certificate.public_key,
        issuer=certificate.issuer,
        not_after=certificate.not_after,
        renew=False,
    )


class CidrsExhausted(Exception):
    """No pod CIDR is free."""


class Identities:
    """Reads and writes identity keys."""

    def __init__(self, store: Store, clock: Clock, *, cluster_cidr: str, pod_cidr_prefix: int) -> None:
        self._store = store
        self._clock = clock
        self._cluster = IPv4Network(cluster_cidr)
        self._prefix = pod_cidr_prefix

    async def get(self, name: str) -> Identity | None:
        """The identity; None when the cluster has no such node."""
        stored = await self._store.get(PREFIX + name)
        return None if stored is None else decode(stored.key, stored.value, stored.mod_revision)

    async def all(self) -> list[Identity]:
        """All identities, sorted by name."""
        values, _ = await self._store.list(PREFIX)
        return [decode(value.key, value.value, value.mod_revision) for value in values]

    async def restored(self) -> tuple[datetime, datetime] | None:
        """When the backup that this store was restored from was made, and when it was restored; None without one."""
        stored = await self._store.get(RESTORED_KEY)
        if stored is None:
            return None
        fields = msgspec.json.decode(stored.value)
        return datetime.fromisoformat(fields["madeAt"]), datetime.fromisoformat(fields["restoredAt"])

    async def create(self, name: str, certificate: Certificate, *, after: Identity | None = None) -> Identity | None:
        """Creates an active identity with its own pod CIDR; returns None when the name has been taken meanwhile.

        `after`: the removed identity that had the name. Pods on its machine may still use addresses of its pod CIDR,
        which therefore stays reserved. Raises CidrsExhausted.
        """
        key = PREFIX + name
        kept = [Put(CIDR_PREFIX + after.pod_cidr, _ABANDONED + self._now().encode())] if after else []
        while True:
            cidr = await self._free_cidr()
            identity = with_certificate(Identity(name, "", ACTIVE, cidr, joined_at=self._now()), certificate)
            try:
                await self._store.commit(
                    [Compare(key, after.mod_revision if after else 0), Compare(CIDR_PREFIX + cidr, 0)],
                    [Put(key, identity.encode()), Put(CIDR_PREFIX + cidr, f"identity/node/{name}".encode()), *kept],
                )
            except CompareFailed as failed:
                if failed.key == key:
                    return None
                continue
            return identity

    async def replace(self, before: Identity, after: Identity) -> bool:
        """Writes a changed identity; False when another writer changed it meanwhile."""
        key = PREFIX + before.name
        try:
            await self._store.commit([Compare(key, before.mod_revision)], [Put(key, after.encode())])
        except CompareFailed:
            return False
        return True

    async def free(self, identity: Identity) -> bool:
        """Deletes the identity and frees its pod CIDR; False when another writer changed it meanwhile."""
        key = PREFIX + identity.name
        try:
            await self._store.commit(
                [Compare(key, identity.mod_revision)], [Delete(key), Delete(CIDR_PREFIX + identity.pod_cidr)]
            )
        except CompareFailed:
            return False
        log.info("node %s: identity deleted, pod CIDR %s is free", identity.name, identity.pod_cidr)
        return True

    async def sweep(self) -> None:
        """Frees identities and pod CIDRs whose agent did not return within a day. Raises StoreError."""
        for identity in await self.all():
            if identity.removed and not identity.removed_at:
                await self.replace(identity, replace(identity, removed_at=self._now()))
            elif self._expired(identity):
                await self.free(identity)
        for cidr in (await self._store.list(CIDR_PREFIX))[0]:
            if cidr.value.startswith(_ABANDONED) and self._is_over(cidr.value.removeprefix(_ABANDONED).decode()):
                # Changed meanwhile: the next sweep checks it again.
                with contextlib.suppress(CompareFailed):
                    await self._store.commit([Compare(cidr.key, cidr.mod_revision)], [Delete(cidr.key)])

    async def run(self) -> None:
        """Sweeps every 10 minutes until cancelled. Logs an error of the store once and tries again: freeing can wait,
        while the master must go on serving."""
        logged = ""
        while True:
            failure = ""
            try:
                await self.sweep()
            except StoreError as error:
                failure = str(error)
            if failure and failure != logged:
                log.error("identities and pod CIDRs of removed nodes cannot be freed: %s", failure)
            logged = failure
            await self._clock.sleep(SWEEP_S)

    async def _free_cidr(self) -> str:
        taken = {value.key.removeprefix(CIDR_PREFIX) for value in (await self._store.list(CIDR_PREFIX))[0]}
        for network in self._cluster.subnets(new_prefix=self._prefix):
            if str(network) not in taken:
                return str(network)
        raise CidrsExhausted(f"every /{self._prefix} of {self._cluster} belongs to a node: delete unused nodes")

    def _expired(self, identity: Identity) -> bool:
        if not identity.removed and identity.machine_id:
            return False
        since = identity.removed_at if identity.removed else identity.joined_at
        return bool(since) and self._is_over(since)

    def _is_over(self, since: str) -> bool:
        return self._clock.now() - datetime.fromisoformat(since) > KEEP

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="seconds")


def decode(key: str, value: bytes, mod_revision: int) -> Identity:
    """The identity in a stored key and value. Fields that an older release did not write get their defaults."""
    fields: dict[str, Any] = msgspec.json.decode(value)
    return Identity(
        name=key.removeprefix(PREFIX),
        fingerprint=fields.get("fingerprint", ""),
        state=fields.get("state", ACTIVE),
        pod_cidr=fields.get("podCIDR", ""),
        machine_id=fields.get("machineId", ""),
        public_key=fields.get("publicKey", ""),
        previous_fingerprint=fields.get("previousFingerprint", ""),
        joined_at=fields.get("joinedAt", ""),
        removed_at=fields.get("removedAt", ""),
        issuer=fields.get("issuer", ""),
        not_after=fields.get("notAfter", ""),
        trusted=tuple(fields.get("trusted", ())),
        renew=fields.get("renew", False),
        mod_revision=mod_revision,
    )
