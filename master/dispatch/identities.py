"""The identity keys of the store: which certificate speaks for which node, and what is reserved for it.

Owns `/identity/node/NAME` and `/unique/podcidr/CIDR`, always written together. The API marks an identity *removed* in
the commit that deletes its Node; here it is freed, when the agent has left or a day later, or its name goes to another
machine at once and only its pod CIDR waits for that day. Signs nothing (join.py).
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
"""With when that was, the value of a pod CIDR's key whose node's name went to another machine."""
RESTORED_KEY: Final = "/meta/restored"
"""Written by a restore: when the backup was made and when it was put in place, RFC 3339."""
KEEP: Final = timedelta(hours=24)
"""How long the pod CIDR of a removed node stays reserved for an agent that does not come back, and a name for one
that joined and never said Hello."""

SWEEP_S: Final = 600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """One node's identity as it stands in the store."""

    name: str
    fingerprint: str
    """Of the one certificate that is accepted."""
    state: str
    pod_cidr: str
    machine_id: str = ""
    """Of the machine that said Hello last; empty before the first one."""
    public_key: str = ""
    """Hash of the key that was certified: a join that lost its answer may be repeated with it."""
    previous_fingerprint: str = ""
    """Accepted until the certificate that replaced it has been used: the answer to a renewal can be lost."""
    joined_at: str = ""
    """RFC 3339, as the next one."""
    removed_at: str = ""
    """When its Node was deleted, or when that was first seen here."""
    issuer: str = ""
    """Fingerprint of the CA that signed the certificate; empty: by a release that did not keep it."""
    not_after: str = ""
    """The certificate's end, RFC 3339."""
    trusted: tuple[str, ...] = ()
    """Fingerprints of the CAs that its agent trusts, as it said last; none: it speaks a version without them."""
    renew: bool = False
    """Somebody wants it to have another certificate."""
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
    """What is kept of a node's certificate; the fields are Identity's."""

    fingerprint: str
    public_key: str
    issuer: str
    not_after: str


def with_certificate(identity: Identity, certificate: Certificate) -> Identity:
    """The identity with this certificate in the old one's place."""
    return replace(
        identity,
        fingerprint=certificate.fingerprint,
        public_key=certificate.public_key,
        issuer=certificate.issuer,
        not_after=certificate.not_after,
        renew=False,
    )


class CidrsExhausted(Exception):
    """Every pod CIDR is taken."""


class Identities:
    """Reads and writes identity keys."""

    def __init__(self, store: Store, clock: Clock, *, cluster_cidr: str, pod_cidr_prefix: int) -> None:
        self._store = store
        self._clock = clock
        self._cluster = IPv4Network(cluster_cidr)
        self._prefix = pod_cidr_prefix

    async def get(self, name: str) -> Identity | None:
        """The identity, or None when the cluster does not know it."""
        found = await self._store.get(PREFIX + name)
        return None if found is None else decode(found.key, found.value, found.mod_revision)

    async def all(self) -> list[Identity]:
        """Every identity, by name."""
        values, _ = await self._store.list(PREFIX)
        return [decode(value.key, value.value, value.mod_revision) for value in values]

    async def restored(self) -> tuple[datetime, datetime] | None:
        """When the backup was made that this store comes from, and when it was put in place; None: from none."""
        found = await self._store.get(RESTORED_KEY)
        if found is None:
            return None
        fields = msgspec.json.decode(found.value)
        return datetime.fromisoformat(fields["madeAt"]), datetime.fromisoformat(fields["restoredAt"])

    async def create(self, name: str, certificate: Certificate, *, after: Identity | None = None) -> Identity | None:
        """A new active identity with a pod CIDR of its own; None when the name is taken by now.

        `after`: the removed identity of that name, whose machine is given up. What runs there may still have addresses
        of its pod CIDR, which therefore stays reserved.
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
        """Write a changed identity; False when it was changed by somebody else meanwhile."""
        key = PREFIX + before.name
        try:
            await self._store.commit([Compare(key, before.mod_revision)], [Put(key, after.encode())])
        except CompareFailed:
            return False
        return True

    async def free(self, identity: Identity) -> bool:
        """Forget the identity and give its pod CIDR back; False when it was changed meanwhile."""
        key = PREFIX + identity.name
        try:
            await self._store.commit(
                [Compare(key, identity.mod_revision)], [Delete(key), Delete(CIDR_PREFIX + identity.pod_cidr)]
            )
        except CompareFailed:
            return False
        log.info("node %s: identity and pod CIDR %s are free again", identity.name, identity.pod_cidr)
        return True

    async def sweep(self) -> None:
        """Free what nobody came back for within a day. Raises StoreError when the store cannot."""
        for identity in await self.all():
            if identity.removed and not identity.removed_at:
                await self.replace(identity, replace(identity, removed_at=self._now()))
            elif self._expired(identity):
                await self.free(identity)
        for cidr in (await self._store.list(CIDR_PREFIX))[0]:
            if cidr.value.startswith(_ABANDONED) and self._is_over(cidr.value.removeprefix(_ABANDONED).decode()):
                # Changed meanwhile: the next sweep looks at what it is by then.
                with contextlib.suppress(CompareFailed):
                    await self._store.commit([Compare(cidr.key, cidr.mod_revision)], [Delete(cidr.key)])

    async def run(self) -> None:
        """Sweep now and then, until cancelled. A store that cannot write is told of once and tried again: what is due
        to be freed can wait, and what the master serves meanwhile cannot."""
        told = ""
        while True:
            trouble = ""
            try:
                await self.sweep()
            except StoreError as error:
                trouble = str(error)
            if trouble and trouble != told:
                log.error("identities and pod CIDRs of nodes that are gone are not freed for now: %s", trouble)
            told = trouble
            await self._clock.sleep(SWEEP_S)

    async def _free_cidr(self) -> str:
        taken = {value.key.removeprefix(CIDR_PREFIX) for value in (await self._store.list(CIDR_PREFIX))[0]}
        for network in self._cluster.subnets(new_prefix=self._prefix):
            if str(network) not in taken:
                return str(network)
        raise CidrsExhausted(f"every /{self._prefix} of {self._cluster} belongs to a node: delete nodes that are gone")

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
    """An identity out of its key and value."""
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
