"""From the bytes of a query to the bytes of its response: the zone, the forwarder, and what a client may ask.

Owns the order: checks, the zone, aliases, the forwarder. Has no sockets.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from netstack.dns import records
from netstack.dns.forwarder import DATAGRAM_BYTES, NoAnswer, Wishes
from netstack.dns.message import (
    IN,
    MAX_BYTES,
    PLAIN_BYTES,
    Edns,
    Message,
    Question,
    Rcode,
    Type,
    decode,
    encode,
)
from netstack.dns.names import Malformed
from netstack.dns.zone import TTL_S, Answer, Zone

MAX_ALIASES: Final = 8
"""Aliases in a row that are followed: they may form a circle."""
_HEADER_BYTES: Final = 12
_REFUSED_TYPES: Final = frozenset({Type.AXFR, Type.IXFR, Type.OPT})


class Asks(Protocol):
    """The part of Forwarder that is used."""

    async def ask(self, question: Question, wishes: Wishes) -> Message: ...


@dataclass(frozen=True, slots=True)
class _Reply:
    """What goes into the response, beside what comes from the query."""

    answer: Answer
    authoritative: bool = False
    authentic: bool = False


class Resolver:
    """Answers queries."""

    def __init__(self, zone: Zone, forwarder: Asks, *, shuffle: bool = True) -> None:
        """`shuffle`: addresses in random order, so that clients that take the first one spread over endpoints."""
        self._zone = zone
        self._forwarder = forwarder
        self._shuffle = shuffle

    def respond(self, data: bytes, *, datagram: bool) -> bytes | Awaitable[bytes] | None:
        """The response; a coroutine if resolvers have to be asked; None if there is none to give.

        Raises nothing, whatever the bytes are.
        """
        try:
            query = decode(data)
        except Malformed:
            return _malformed(data)
        if query.response:
            return None  # two servers that answer each other's responses would never stop
        limit = _limit(query, datagram=datagram)
        if (refusal := _refusal(query)) is not None:
            return _encoded(query, _Reply(Answer(rcode=refusal)), limit)
        question = query.questions[0]
        if question.type == Type.ANY:
            return _encoded(query, _Reply(Answer((records.hinfo(question.name, TTL_S),))), limit)
        found = self._zone.answer(question)
        if found is None or found.alias is not None:
            return self._ask(query, found, limit)
        return _encoded(query, _Reply(self._spread(found), authoritative=True), limit)

    async def _ask(self, query: Message, found: Answer | None, limit: int) -> bytes:
        question = query.questions[0]
        try:
            if found is None:
                reply = await self._forward(query, question)
            else:
                reply = _Reply(await self._follow(query, found), authoritative=True)
        except NoAnswer as error:
            reply = _Reply(Answer(rcode=error.rcode))
        return _encoded(query, reply, limit)

    async def _forward(self, query: Message, question: Question) -> _Reply:
        edns = query.edns
        wishes = Wishes(edns is not None, edns is not None and edns.dnssec, query.checking_disabled)
        response = await self._forwarder.ask(question, wishes)
        answer = Answer(response.answers, response.additionals, response.authorities, response.rcode)
        return _Reply(answer, authentic=response.authentic)

    async def _follow(self, query: Message, found: Answer) -> Answer:
        """The answer with what its alias leads to."""
        answers, question = found.answers, query.questions[0]
        for _ in range(MAX_ALIASES):
            if found.alias is None:
                break
            target = Question(found.alias, question.type)
            own = self._zone.answer(target)
            # The order of an answer from outside is kept: aliases in it come before what they lead to.
            found = (await self._forward(query, target)).answer if own is None else self._spread(own)
            answers += found.answers
        else:
            raise NoAnswer("too many aliases in a row")
        return replace(found, answers=answers)

    def _spread(self, answer: Answer) -> Answer:
        if not self._shuffle or len(answer.answers) < 2:
            return answer
        return replace(answer, answers=tuple(random.sample(answer.answers, len(answer.answers))))


def _refusal(query: Message) -> int | None:
    """The code for a query that nobody here answers."""
    if query.opcode:
        return Rcode.NOTIMP
    if not query.questions:
        return Rcode.FORMERR
    if query.edns is not None and query.edns.version:
        return Rcode.BADVERS
    question = query.questions[0]
    return Rcode.REFUSED if question.klass != IN or question.type in _REFUSED_TYPES else None


def _limit(query: Message, *, datagram: bool) -> int:
    if not datagram:
        return MAX_BYTES
    return PLAIN_BYTES if query.edns is None else min(max(query.edns.size, PLAIN_BYTES), DATAGRAM_BYTES)


def _encoded(query: Message, reply: _Reply, limit: int) -> bytes:
    answer = reply.answer
    response = Message(
        id=query.id,
        questions=query.questions[:1],
        answers=answer.answers,
        authorities=answer.authorities,
        additionals=answer.additionals,
        response=True,
        opcode=query.opcode,
        authoritative=reply.authoritative,
        recursion_desired=query.recursion_desired,
        recursion_available=True,
        authentic=reply.authentic,
        checking_disabled=query.checking_disabled,
        rcode=answer.rcode,
        edns=None if query.edns is None else Edns(DATAGRAM_BYTES, dnssec=query.edns.dnssec),
    )
    return encode(response, limit)


def _malformed(data: bytes) -> bytes | None:
    """FORMERR to a query whose header can be read."""
    if len(data) < _HEADER_BYTES or data[2] & 0x80:
        return None
    return encode(Message(id=int.from_bytes(data[:2]), response=True, opcode=data[2] >> 3 & 0xF, rcode=Rcode.FORMERR))
