"""The TLS of new connections: the certificate and the CAs of the moment, while those that are open go on.

Owns the context that the listening socket has for good; each handshake is handed over to the present one.
"""

from __future__ import annotations

import logging
import ssl
from typing import Any

from master.pki import Pki

log = logging.getLogger(__name__)


class Front:
    """`context` is what is listened with."""

    def __init__(self, pki: Pki) -> None:
        self._pki = pki
        self._present = pki.server_context()
        self._generation = pki.generation
        self._told = ""
        self.context = pki.server_context()
        # Called at each handshake, also without a name. A CA cannot be taken out of a context: only another one helps.
        self.context.sni_callback = self._hand_over
        # A session that is resumed would bring its certificate along unverified.
        self.context.num_tickets = 0
        self.context.options |= ssl.OP_NO_TICKET

    def _hand_over(self, connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        if self._generation != self._pki.generation:
            self._renew()
        connection.context = self._present

    def _renew(self) -> None:
        generation = self._pki.generation
        try:
            self._present = self._pki.server_context()
        except OSError as error:  # ssl.SSLError is one
            if str(error) != self._told:
                log.error("the API serves the certificate from before: %s", error)
            self._told = str(error)
            return
        self._generation, self._told = generation, ""
        log.info("the API serves another certificate")
