"""Asks the resolvers of the host about names that are not the cluster's.

Over UDP, and again over TCP if the response was truncated. Each question has a random id and a socket of its own, whose
port the kernel chooses at random; only a response from the asked address with the same id and question counts. The
number of questions in flight is bounded. Keeps no answers: the resolvers do.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from netstack.dns.message import Edns, Message, Question, Rcode, decode, encode
from netstack.dns.names import Malformed, folded

PORT: Final = 53
TIMEOUT_S: Final = 2.0
"""For a response of one resolver; then the next one is asked."""
MAX_ASKED: Final = 3
"""How often one question is asked, in turn of all resolvers: a datagram may be lost. resolv.conf(5) has three."""
MAX_IN_FLIGHT: Final = 1000
DATAGRAM_BYTES: Final = 1232
"""Largest datagram that passes everywhere without fragments (DNS flag day 2020)."""

_WARN_AGAIN_S: Final = 60.0
# As secure as the module `secrets`, which also loads OpenSSL.
_RANDOM: Final = random.SystemRandom()
_FAILED: Final = frozenset({Rcode.SERVFAIL, Rcode.NOTIMP, Rcode.REFUSED})

log = logging.getLogger(__name__)


class NoAnswer(Exception):
    """No resolver answered; the message says why. `rcode`: what the client gets."""

    def __init__(self, reason: str, rcode: int = Rcode.SERVFAIL) -> None:
        super().__init__(reason)
        self.rcode = rcode


@dataclass(frozen=True, slots=True)
class Wishes:
    """How the client asked: the DO and CD bits of DNSSEC, which the resolver needs."""

    edns: bool = False
    dnssec: bool = False
    checking_disabled: bool = False


class Forwarder:
    """Asks the upstreams. After a failure, an upstream is asked last from then on."""

    def __init__(self, upstreams: Sequence[str] = (), *, port: int = PORT, timeout_s: float = TIMEOUT_S) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._configured: tuple[str, ...] = ()
        self._order: list[str] = []
        self._in_flight = 0
        self._warn_at: dict[str, float] = {}
        """When the next warning about an upstream may be logged."""
        self.configure(upstreams)

    def configure(self, upstreams: Sequence[str]) -> None:
        """Replace the resolvers (IP addresses)."""
        if tuple(upstreams) != self._configured:
            self._configured = tuple(upstreams)
            self._order = list(upstreams)
            self._warn_at = {}

    async def ask(self, question: Question, wishes: Wishes) -> Message:
        """The response. Raises NoAnswer."""
        if not self._order:
            raise NoAnswer("the host has no resolver", Rcode.REFUSED)
        if self._in_flight >= MAX_IN_FLIGHT:
            raise NoAnswer(f"{MAX_IN_FLIGHT} questions wait for resolvers")
        self._in_flight += 1
        try:
            return await self._ask(question, wishes)
        finally:
            self._in_flight -= 1

    async def _ask(self, question: Question, wishes: Wishes) -> Message:
        failed: dict[str, Message] = {}
        for upstream in (self._order * MAX_ASKED)[:MAX_ASKED]:
            if upstream in failed:
                continue  # it has answered, and would do so again
            try:
                response = await self._ask_one(upstream, question, wishes)
            except (OSError, EOFError, Malformed) as error:  # TimeoutError is an OSError
                self._fails(upstream, error)
                continue
            if response.rcode not in _FAILED:
                return response
            failed[upstream] = response
        if not failed:
            raise NoAnswer("no resolver answers")
        return next(iter(failed.values()))

    def _fails(self, upstream: str, error: Exception) -> None:
        if upstream in self._order[:-1]:
            self._order.remove(upstream)
            self._order.append(upstream)
        now = time.monotonic()
        if now >= self._warn_at.get(upstream, 0.0):
            self._warn_at[upstream] = now + _WARN_AGAIN_S
            log.warning("the resolver %s does not answer: %s", upstream, str(error) or "no response in time")

    async def _ask_one(self, upstream: str, question: Question, wishes: Wishes) -> Message:
        query = Message(
            id=_RANDOM.randrange(1 << 16),
            questions=(question,),
            recursion_desired=True,
            checking_disabled=wishes.checking_disabled,
            edns=Edns(DATAGRAM_BYTES, dnssec=wishes.dnssec) if wishes.edns else None,
        )
        async with asyncio.timeout(self._timeout_s):
            response = await self._by_udp(upstream, query)
        if response.truncated:
            async with asyncio.timeout(self._timeout_s):
                response = await self._by_tcp(upstream, replace(query, id=_RANDOM.randrange(1 << 16)))
        return response

    async def _by_udp(self, upstream: str, query: Message) -> Message:
        loop = asyncio.get_running_loop()
        transport, waiting = await loop.create_datagram_endpoint(
            lambda: _Waiting(query, loop.create_future()), remote_addr=(upstream, self._port)
        )
        try:
            transport.sendto(encode(query))
            return await waiting.response
        finally:
            transport.close()

    async def _by_tcp(self, upstream: str, query: Message) -> Message:
        reader, writer = await asyncio.open_connection(upstream, self._port)
        try:
            content = encode(query)
            writer.write(len(content).to_bytes(2) + content)
            await writer.drain()
            response = decode(await reader.readexactly(int.from_bytes(await reader.readexactly(2))))
        finally:
            writer.close()
        if not answers(response, query):
            raise Malformed("a response to something else")
        return response


class _Waiting(asyncio.DatagramProtocol):
    """Waits for the response to one query; other datagrams are ignored."""

    def __init__(self, query: Message, response: asyncio.Future[Message]) -> None:
        self._query = query
        self.response = response

    def datagram_received(self, data: bytes, _address: object) -> None:
        try:
            message = decode(data)
        except Malformed:
            return
        if answers(message, self._query) and not self.response.done():
            self.response.set_result(message)

    def error_received(self, error: Exception) -> None:
        if not self.response.done():
            self.response.set_exception(error)

    def connection_lost(self, _error: Exception | None) -> None:
        self.response.cancel()


def answers(response: Message, query: Message) -> bool:
    """Whether the message is a response to this query. A server that failed may leave out the question."""
    if not response.response or response.id != query.id or response.opcode != query.opcode:
        return False
    if not response.questions:
        return response.rcode != Rcode.NOERROR
    asked, echoed = query.questions[0], response.questions
    return len(echoed) == 1 and (folded(echoed[0].name), echoed[0].type, echoed[0].klass) == (
        folded(asked.name),
        asked.type,
        asked.klass,
    )
