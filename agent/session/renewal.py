"""Renews the node's certificate in time, and stores the CAs that the node trusts.

Owns the present identity and the time of its renewal: when about a third of its validity is left, or when the master
asks for it. The new key never leaves the machine. Key and certificate replace the old ones on disk in one step, then
the session is opened again with them. A failed renewal does not end the session: there is time for many more attempts.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from agent.clock import Clock
from agent.errors import AgentError
from agent.identity import apart, files
from agent.identity.files import Identity
from agent.session.channel import Master
from agent.session.errors import Renewed, Stale
from agent.wire.errors import Garbled
from proto import contract
from proto.gen import session_pb2

LEFT: Final = 1 / 3
"""Part of the certificate's validity that is left when it is renewed."""
LEFT_JITTER: Final = 1 / 30
"""Nodes that joined at the same time must not renew at the same time."""

CHECK_S: Final = 3600.0
"""The clock is read again after at most this long, as it may have been set meanwhile."""
RETRY_S: Final = 30.0
"""Delay after the first failure; doubled after each further one, up to CHECK_S."""
JITTER: Final = 0.2
SPREAD_S: Final = 2.0
"""Nodes that the master asks all at once spread their renewals over this time."""
TIMEOUT_S: Final = 20.0
MAX_CAS: Final = 16
"""Two are normal while the cluster's CA is rotated, one at other times."""

log = logging.getLogger(__name__)


class Renewal:
    """The node's identity, and its renewal."""

    def __init__(
        self,
        identity: Identity,
        state_dir: Path,
        clock: Clock,
        *,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.identity = identity
        self.requested = False
        """The master asks for a renewal in this session, however long the certificate is still valid."""
        self._state_dir = state_dir
        self._clock = clock
        self._uniform = uniform
        self._left = LEFT + uniform(-LEFT_JITTER, LEFT_JITTER)

    @property
    def due_s(self) -> float:
        """Seconds until the renewal is due; zero or negative: it is due."""
        life_s = self.identity.not_after - self.identity.not_before
        return self.identity.not_after - life_s * self._left - self._clock.wall()

    @property
    def expired(self) -> str:
        """What to do about an expired certificate; empty while it is valid."""
        if self._clock.wall() < self.identity.not_after:
            return ""
        ended = datetime.fromtimestamp(self.identity.not_after, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return (
            f"the certificate of node {self._name} expired on {ended}, and the master no longer accepts it; "
            "everything on this node keeps running. Run `sampan token create` on the master and the command that it "
            "prints on this node (where systemd does not run the agent: stop it before, start it after): the node "
            "keeps its name and its pods"
        )

    async def run(self, master: Master) -> None:
        """Run during one session; raises Renewed when there is a new certificate to connect with."""
        failures = 0
        if self.requested:
            await self._clock.sleep(self._uniform(0, SPREAD_S))
        while True:
            while not self.requested and (due_s := self.due_s) > 0:
                await self._clock.sleep(min(due_s, CHECK_S))
            try:
                await self._renew(master)
            except Stale:
                raise
            except (AgentError, OSError) as error:
                wait_s = min(RETRY_S * 2**failures, CHECK_S) * self._uniform(1 - JITTER, 1 + JITTER)
                failures += 1
                log.error("node %s: certificate not renewed, next try in %d s: %s", self._name, wait_s, error)
                await self._clock.sleep(wait_s)
            else:
                self.requested = False
                raise Renewed("the certificate was renewed", works=True)

    async def trust(self, ca: str) -> bool:
        """Trust these CAs (PEM) instead of the present ones; True when they differ and have been stored.

        Raises Garbled. If they cannot be stored, the session continues: the next Hello brings them again.
        """
        try:
            fingerprints = contract.fingerprints(ca)
            if fingerprints:
                ssl.create_default_context(cadata=ca)
        except (ValueError, ssl.SSLError) as error:
            raise Garbled(f"the CAs that the master sent cannot be read: {error}") from error
        if not 0 < len(fingerprints) <= MAX_CAS:
            raise Garbled(f"the master sent {len(fingerprints)} CAs to trust")
        if sorted(fingerprints) == sorted(contract.fingerprints(self.identity.ca)):
            return False
        changed = replace(self.identity, ca=ca)
        try:
            await asyncio.to_thread(files.save, self._state_dir, changed)
        except OSError as error:
            log.error("node %s: the cluster's CAs have changed, but cannot be stored: %s", self._name, error)
            return False
        self.identity = changed
        log.info("node %s: trusting %d CAs now", self._name, len(fingerprints))
        return True

    @property
    def _name(self) -> str:
        return self.identity.node_name

    async def _renew(self, master: Master) -> None:
        key, csr = await asyncio.to_thread(apart.make_request, self._name)
        reply = await master.renew(session_pb2.RenewRequest(csr=csr), TIMEOUT_S)
        life = await asyncio.to_thread(
            apart.certified, reply.certificate, key_pem=key, authority_pem=self.identity.ca, node_name=self._name
        )
        renewed = replace(
            self.identity, key=key, certificate=reply.certificate, not_before=life.not_before, not_after=life.not_after
        )
        # On disk before it is used: after its first use the master no longer accepts the old one.
        await asyncio.to_thread(files.save, self._state_dir, renewed)
        self.identity = renewed
        log.info("node %s: certificate renewed", self._name)
