"""TLS of new connections: they use the current certificate and CAs. Open connections continue.

The listening socket keeps one context for its whole life; at each handshake it switches to the current one.
"""

from __future__ import annotations

import logging
import ssl
from typing import Any

from master.pki import Pki

log = logging.getLogger(__name__)


class Front:
    """`context` is the context of the listening socket."""

    def __init__(self, pki: Pki) -> None:
        self._pki = pki
        self._current = pki.server_context()
        self._generation = pki.generation
        self._last_error = ""
        self.context = pki.server_context()
        # Called at each handshake, even without a server name. A CA cannot be removed from a context, so each change
        # needs a new context.
        self.context.sni_callback = self._switch
        # A resumed session would keep its client certificate without verifying it again.
        self.context.num_tickets = 0
        self.context.options |= ssl.OP_NO_TICKET

    def _switch(self, connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        if self._generation != self._pki.generation:
            self._renew()
        connection.context = self._current

    def _renew(self) -> None:
        generation = self._pki.generation
        try:
            self._current = self._pki.server_context()
        except OSError as error:  # includes ssl.SSLError
            if str(error) != self._last_error:
                log.error("the API keeps its old certificate and CAs: %s", error)
            self._last_error = str(error)
            return
        self._generation, self._last_error = generation, ""
        log.info("the API uses a new certificate or new CAs")
