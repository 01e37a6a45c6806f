"""Renews the node's certificate in time, and keeps the CAs that the node trusts.

Owns the present identity and the moment of its renewal: when about a third of its life is left, or when the master
wants it. The new key never leaves the machine; key and certificate replace the old ones on disk in one step, and the
session is opened anew with them. A renewal that fails ends no session: there is time for many more tries.
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
"""Part of the certificate's life that is left when it is renewed."""
LEFT_JITTER: Final = 1 / 30
"""Nodes that joined together must not renew together."""

CHECK_S: Final = 3600.0
"""At most this long until the clock is looked at again: it may be set meanwhile."""
RETRY_S: Final = 30.0
"""After the first failure; each further one doubles it, up to CHECK_S."""
JITTER: Final = 0.2
WANTED_WITHIN_S: Final = 2.0
"""Nodes that the master asks all at once answer within this time."""
TIMEOUT_S: Final = 20.0
MOST_CAS: Final = 16
"""Two while the cluster's CA is being rotated, else one."""

log = logging.getLogger(__name__)


class Renewal:
    """The identity, kept good."""

    def __init__(
        self,
        identity: Identity,
        state_dir: Path,
        clock: Clock,
        *,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.identity = identity
        self.wanted = False
        """The master wants another certificate in this session, whatever is left of this one."""
        self._state_dir = state_dir
        self._clock = clock
        self._uniform = uniform
        self._left = LEFT + uniform(-LEFT_JITTER, LEFT_JITTER)

    @property
    def due_s(self) -> float:
        """Seconds until it is time; not positive: it is time."""
        life_s = self.identity.not_after - self.identity.not_before
        return self.identity.not_after - life_s * self._left - self._clock.wall()

    @property
    def expired(self) -> str:
        """What to do about a certificate that has ended; empty while it has not."""
        if self._clock.wall() < self.identity.not_after:
            return ""
        ended = datetime.fromtimestamp(self.identity.not_after, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return (
            f"the certificate of node {self._name} expired on {ended}, and the master takes it no more; "
            "everything here is left running. Run `sampan token create` on the master and the command that it prints "
            "here (where systemd does not run the agent: stop it before, start it after): the node keeps its name and "
            "its pods"
        )

    async def run(self, master: Master) -> None:
        """During one session: raises Renewed when there is a new certificate to connect with."""
        failures = 0
        if self.wanted:
            await self._clock.sleep(self._uniform(0, WANTED_WITHIN_S))
        while True:
            while not self.wanted and (due_s := self.due_s) > 0:
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
                self.wanted = False
                raise Renewed("the certificate was renewed")

    async def trust(self, ca: str) -> bool:
        """Trust these CAs (PEM) in place of those before; True when they are kept, and others than before.

        Raises Garbled. When they cannot be written down, the session goes on as it is: the next one brings them again.
        """
        try:
            told = contract.fingerprints(ca)
            if told:
                ssl.create_default_context(cadata=ca)
        except (ValueError, ssl.SSLError) as error:
            raise Garbled(f"the CAs that the master wants to be trusted cannot be read: {error}") from error
        if not 0 < len(told) <= MOST_CAS:
            raise Garbled(f"the master wants {len(told)} CAs to be trusted")
        if sorted(told) == sorted(contract.fingerprints(self.identity.ca)):
            return False
        changed = replace(self.identity, ca=ca)
        try:
            await asyncio.to_thread(files.save, self._state_dir, changed)
        except OSError as error:
            log.error("node %s: the cluster's CAs have changed, but cannot be kept: %s", self._name, error)
            return False
        self.identity = changed
        log.info("node %s: %d CAs are trusted now", self._name, len(told))
        return True

    @property
    def _name(self) -> str:
        return self.identity.node_name

    async def _renew(self, master: Master) -> None:
        key, csr = await asyncio.to_thread(apart.make_request, self._name)
        reply = await master.renew(session_pb2.RenewRequest(csr=csr), TIMEOUT_S)
        life = await asyncio.to_thread(
            apart.certified,
            reply.certificate,
            key_pem=key,
            authority_pem=self.identity.ca,
            node_name=self._name,
        )
        renewed = replace(
            self.identity,
            key=key,
            certificate=reply.certificate,
            not_before=life.not_before,
            not_after=life.not_after,
        )
        # On disk before it is used: once it was used the master takes the old one no more.
        await asyncio.to_thread(files.save, self._state_dir, renewed)
        self.identity = renewed
        log.info("node %s: certificate renewed", self._name)
