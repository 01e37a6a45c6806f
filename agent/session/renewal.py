"""Renews the node's certificate in time.

Owns the present identity and the moment of its renewal: when a third of its life is left. The new key never leaves
the machine; key and certificate replace the old ones on disk in one step, and the session is opened anew with them.
A renewal that fails ends no session: there is time for many more tries.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Final

from agent.clock import Clock
from agent.errors import AgentError
from agent.identity import apart, files
from agent.identity.files import Identity
from agent.session.channel import Master
from agent.session.errors import Stale
from proto.gen import session_pb2

LEFT: Final = 1 / 3
"""Part of the certificate's life that is left when it is renewed."""

CHECK_S: Final = 3600.0
"""At most this long until the clock is looked at again: it may be set meanwhile."""
RETRY_S: Final = 60.0
TIMEOUT_S: Final = 20.0

log = logging.getLogger(__name__)


class Renewal:
    """The identity, kept good."""

    def __init__(self, identity: Identity, state_dir: Path, clock: Clock) -> None:
        self.identity = identity
        self._state_dir = state_dir
        self._clock = clock

    @property
    def due_s(self) -> float:
        """Seconds until it is time; not positive: it is time."""
        life_s = self.identity.not_after - self.identity.not_before
        return self.identity.not_after - life_s * LEFT - self._clock.wall()

    async def run(self, master: Master) -> None:
        """During one session: raises Stale when there is a new certificate to connect with."""
        while True:
            while (due_s := self.due_s) > 0:
                await self._clock.sleep(min(due_s, CHECK_S))
            try:
                await self._renew(master)
            except Stale:
                raise
            except (AgentError, OSError) as error:
                log.error("node %s: certificate not renewed, next try in %d s: %s", self._name, RETRY_S, error)
                await self._clock.sleep(RETRY_S)
            else:
                raise Stale("the certificate was renewed")

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
