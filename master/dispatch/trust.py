"""The CAs that nodes are to trust, the certificates that they are to have, and how far each node is.

Owns this part of the reply to Hello, and the steps of a CA rotation that involve nodes. A step ends the sessions of the
nodes concerned: their agents say Hello again at once and get the new instructions. Pods keep running.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from master.dispatch import authority
from master.dispatch.identities import Identities, Identity
from master.dispatch.sessions import Sessions
from master.pki import Pki, RotationRefused
from master.store.interface import Store
from proto import contract
from proto.gen import session_pb2


@dataclass(frozen=True, slots=True)
class Trust:
    """The rotation of CAs and certificates, as far as nodes take part in it."""

    pki: Pki
    identities: Identities
    sessions: Sessions
    store: Store

    def instruct(
        self, reply: session_pb2.HelloReply, trusted: Iterable[str], identity: Identity, fingerprint: str
    ) -> None:
        """Adds to the reply to Hello what the agent is to change. `fingerprint`: of its connection's certificate."""
        if sorted(trusted) != sorted(self.pki.trusted):
            reply.ca = self.pki.ca_pem.decode()
        else:
            of_old_ca = self._issuer(identity) != self.pki.signer.fingerprint
            # Its last renewal was signed, but the reply was lost.
            replaced = fingerprint != identity.fingerprint
            reply.renew = identity.renew or of_old_ca or replaced

    async def renew(self, node: str) -> bool:
        """Makes a node renew its certificate; False when there is no such node."""
        while True:
            identity = await self.identities.get(node)
            if identity is None or identity.removed:
                return False
            if await self.identities.replace(identity, replace(identity, renew=True)):
                break
        self.sessions.end_session(node, "the node is to renew its certificate")
        return True

    async def begin(self) -> None:
        """Begins the rotation of the CA. Raises RotationRefused."""
        self.pki.begin_rotation()
        await authority.record(self.store, self.pki)
        self._end_sessions("nodes are to trust a new CA")

    async def finish(self) -> None:
        """Ends the rotation. Raises RotationRefused, which names the nodes that are not ready."""
        waiting = await self.waiting()
        if self.pki.rotating and waiting:
            raise RotationRefused(
                "the old CA is still needed: " + "; ".join(f"node {name} {why}" for name, why in waiting.items())
            )
        self.pki.finish_rotation()
        await authority.record(self.store, self.pki)
        self._end_sessions("nodes are to stop trusting the old CA")

    async def waiting(self) -> dict[str, str]:
        """The nodes that could not connect after the end of the rotation, and why."""
        identities = [identity for identity in await self.identities.all() if not identity.removed]
        return {identity.name: why for identity in identities if (why := self._lacks(identity))}

    def _lacks(self, identity: Identity) -> str:
        """Why the rotation may not end yet because of this node; empty if it may."""
        signer = self.pki.signer.fingerprint
        connected = self.sessions.current(identity.name)
        hint = "" if connected else " (it is not connected: start its agent, or delete the Node)"
        if not identity.machine_id:
            return f"has joined, but never connected{hint}"
        if not identity.trusted:
            return (
                f"speaks version {contract.OLDEST_PROTOCOL_VERSION} of the protocol, which cannot transfer a new CA: "
                f"upgrade its agent{hint}"
            )
        if signer not in identity.trusted:
            return f"does not trust the new CA yet{hint}"
        if self._issuer(identity) != signer or identity.previous_fingerprint:
            return f"has not renewed its certificate yet{hint}"
        return ""

    def _issuer(self, identity: Identity) -> str:
        """The CA that signed the node's certificate. Older releases did not record it; they had only one CA."""
        return identity.issuer or self.pki.trusted[0]

    def _end_sessions(self, why: str) -> None:
        for session in self.sessions.all():
            self.sessions.end_session(session.node, why)
