"""Which CAs nodes shall trust and which certificates they shall have, and how far they are.

Owns what a Hello is answered about it, and the steps of a rotation as far as nodes have a part in them. A step ends
the sessions that it concerns: their agents say Hello again at once and hear of it then. What runs on nodes goes on.
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
    """What the master tells nodes about certificates."""

    pki: Pki
    identities: Identities
    sessions: Sessions
    store: Store

    def tell(self, reply: session_pb2.HelloReply, trusted: Iterable[str], identity: Identity, fingerprint: str) -> None:
        """Adds to the answer of a Hello what its agent shall change. `fingerprint`: of the certificate it speaks by."""
        if sorted(trusted) != sorted(self.pki.trusted):
            reply.ca = self.pki.ca_pem.decode()
        else:
            of_old_ca = self._issuer(identity) != self.pki.signer.fingerprint
            # Its last renewal was signed, but the answer was lost.
            replaced = fingerprint != identity.fingerprint
            reply.renew = identity.renew or of_old_ca or replaced

    async def renew(self, node: str) -> bool:
        """Have a node get another certificate; False when there is no such node."""
        while True:
            identity = await self.identities.get(node)
            if identity is None or identity.removed:
                return False
            if await self.identities.replace(identity, replace(identity, renew=True)):
                break
        self.sessions.end_session(node, "the node shall renew its certificate")
        return True

    async def begin(self) -> None:
        """The first step of the CA's rotation. Raises RotationRefused."""
        self.pki.begin_rotation()
        await authority.record(self.store, self.pki)
        self._tell_all("a new CA is to be trusted")

    async def finish(self) -> None:
        """The last one. Raises RotationRefused, with the nodes that are not ready for it."""
        waiting = await self.waiting()
        if self.pki.rotating and waiting:
            raise RotationRefused(
                "the old CA is still needed: " + "; ".join(f"node {name} {why}" for name, why in waiting.items())
            )
        self.pki.finish_rotation()
        await authority.record(self.store, self.pki)
        self._tell_all("the old CA is not to be trusted any more")

    async def waiting(self) -> dict[str, str]:
        """Nodes that the end of the rotation would lose, and why."""
        found = {each.name: self._lacks(each) for each in await self.identities.all() if not each.removed}
        return {name: why for name, why in found.items() if why}

    def _lacks(self, identity: Identity) -> str:
        signer = self.pki.signer.fingerprint
        connected = self.sessions.current(identity.name)
        hint = "" if connected else " (it is not connected: start its agent, or delete the Node)"
        if not identity.machine_id:
            return f"has joined, but never connected{hint}"
        if not identity.trusted:
            return (
                f"speaks version {contract.OLDEST_PROTOCOL_VERSION} of the protocol, which cannot be told of a new CA: "
                f"upgrade its agent{hint}"
            )
        if signer not in identity.trusted:
            return f"does not trust the new CA yet{hint}"
        if self._issuer(identity) != signer or identity.previous_fingerprint:
            return f"has not renewed its certificate yet{hint}"
        return ""

    def _issuer(self, identity: Identity) -> str:
        """Records of the release before do not say it; there was only one CA then."""
        return identity.issuer or self.pki.trusted[0]

    def _tell_all(self, why: str) -> None:
        for session in self.sessions.all():
            self.sessions.end_session(session.node, why)
