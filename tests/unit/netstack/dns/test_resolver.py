"""From query to response, with a forwarder that answers from a table."""

from __future__ import annotations

import asyncio
import inspect
from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from netstack.dns import records
from netstack.dns.cluster import Endpoint, Service, Settings
from netstack.dns.forwarder import NoAnswer, Wishes
from netstack.dns.message import Edns, Message, Question, Rcode, Type, decode, encode
from netstack.dns.names import Name, name_of
from netstack.dns.resolver import Resolver
from netstack.dns.zone import Zone

MANY = tuple(Endpoint(IPv4Address("10.244.0.0") + number) for number in range(1, 200))
OUTSIDE = name_of("www.example.com")
CHAIN = name_of("cdn.example.com")


class World:
    """Knows one name."""

    def __init__(self) -> None:
        self.asked: list[tuple[Name, Wishes]] = []

    async def ask(self, question: Question, wishes: Wishes) -> Message:
        self.asked.append((question.name, wishes))
        if question.name == name_of("silent.example"):
            raise NoAnswer("no resolver answers")
        answers = (records.a(OUTSIDE, IPv4Address("192.0.2.1"), 60),) if question.name == OUTSIDE else ()
        if question.name == CHAIN:
            answers = (records.cname(CHAIN, OUTSIDE, 60), *(records.a(OUTSIDE, each.address, 60) for each in MANY[:8]))
        return Message(9, (question,), answers, response=True, rcode=0 if answers else Rcode.NXDOMAIN, authentic=True)


def resolver(world: World | None = None) -> Resolver:
    zone = Zone(Settings("cluster.local", IPv4Address("10.96.0.10"), (IPv4Network("10.96.0.0/16"),)))
    zone.put(Service("default", "web", IPv4Address("10.96.0.20")))
    zone.put(Service("default", "many", endpoints=MANY))
    zone.put(Service("default", "out", external_name="www.example.com"))
    zone.put(Service("default", "chain", external_name="cdn.example.com"))
    zone.put(Service("default", "near", external_name="web.default.svc.cluster.local"))
    zone.put(Service("default", "circle", external_name="circle.default.svc.cluster.local"))
    zone.put(Service("default", "lost", external_name="missing.example"))
    return Resolver(zone, world or World())


def respond(query: Message | bytes, *, world: World | None = None, datagram: bool = True) -> bytes | None:
    data = query if isinstance(query, bytes) else encode(query)
    response = resolver(world).respond(data, datagram=datagram)
    if not inspect.isawaitable(response):
        return response

    async def awaited() -> bytes:
        return await response

    return asyncio.run(awaited())


def ask(name: str, kind: int = Type.A, *, edns: Edns | None = None, klass: int = 1, **more: object) -> Message:
    query = Message(77, (Question(name_of(name), kind, klass),), recursion_desired=True, edns=edns)
    response = respond(query, **more)  # type: ignore[arg-type]
    assert response is not None
    message = decode(response)
    assert (message.id, message.response, message.recursion_available) == (77, True, True)
    assert message.questions == query.questions
    return message


def test_names_of_the_cluster_are_answered_with_authority() -> None:
    message = ask("web.default.svc.cluster.local")
    assert message.authoritative
    assert [record.data for record in message.answers] == [IPv4Address("10.96.0.20").packed]


def test_other_names_are_forwarded_with_what_the_client_wishes() -> None:
    world = World()
    message = ask("www.example.com", edns=Edns(4096, dnssec=True), world=world)
    assert world.asked == [(OUTSIDE, Wishes(edns=True, dnssec=True))]
    assert not message.authoritative
    assert message.authentic
    assert len(message.answers) == 1
    assert message.edns is not None


def test_a_client_without_edns_gets_none() -> None:
    assert ask("www.example.com").edns is None


def test_too_many_records_for_a_datagram_are_truncated_and_come_over_tcp() -> None:
    name = "many.default.svc.cluster.local"
    plain, large, stream = ask(name), ask(name, edns=Edns(65000)), ask(name, datagram=False)
    assert (plain.truncated, large.truncated, stream.truncated) == (True, True, False)
    assert 0 < len(plain.answers) < len(large.answers) < len(stream.answers) == len(MANY)


def test_addresses_come_in_any_order() -> None:
    first = {ask("many.default.svc.cluster.local", datagram=False).answers[0].data for _ in range(20)}
    assert len(first) > 1


def test_an_alias_comes_with_what_it_leads_to() -> None:
    outside, inside = ask("out.default.svc.cluster.local"), ask("near.default.svc.cluster.local")
    assert [record.type for record in outside.answers] == [Type.CNAME, Type.A]
    assert [record.type for record in inside.answers] == [Type.CNAME, Type.A]
    assert inside.answers[1].name == name_of("web.default.svc.cluster.local")


def test_the_order_of_an_answer_from_outside_is_kept() -> None:
    """Resolvers such as that of glibc need each alias before what it leads to."""
    for _ in range(5):
        message = ask("chain.default.svc.cluster.local", datagram=False)
        assert [record.type for record in message.answers] == [Type.CNAME] * 2 + [Type.A] * 8


def test_an_alias_that_leads_nowhere_or_to_itself() -> None:
    lost, circle = ask("lost.default.svc.cluster.local"), ask("circle.default.svc.cluster.local")
    assert (lost.rcode, [record.type for record in lost.answers]) == (Rcode.NXDOMAIN, [Type.CNAME])
    assert circle.rcode == Rcode.SERVFAIL


def test_without_an_answer_of_the_resolvers_the_client_gets_an_error() -> None:
    assert ask("silent.example").rcode == Rcode.SERVFAIL


def test_questions_that_nobody_answers() -> None:
    assert ask("web.default.svc.cluster.local", klass=3).rcode == Rcode.REFUSED
    assert ask("cluster.local", Type.AXFR).rcode == Rcode.REFUSED
    assert ask("cluster.local", edns=Edns(1232, version=1)).rcode == Rcode.BADVERS


def test_a_question_for_anything_is_answered_with_one_small_record() -> None:
    for name in ("many.default.svc.cluster.local", "www.example.com"):
        assert [record.type for record in ask(name, Type.ANY).answers] == [Type.HINFO]


def test_queries_without_a_question_that_can_be_read() -> None:
    opcode, none = respond(encode(Message(5, opcode=4))), respond(encode(Message(5)))
    assert opcode is not None
    assert decode(opcode).rcode == Rcode.NOTIMP
    assert none is not None
    assert decode(none).rcode == Rcode.FORMERR
    broken = respond(encode(Message(5, (Question(OUTSIDE, 1),)))[:-3])
    assert broken is not None
    assert (decode(broken).id, decode(broken).rcode) == (5, Rcode.FORMERR)
    assert respond(encode(Message(5, response=True))) is None
    assert respond(b"short") is None


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    response = respond(data)
    assert response is None or decode(response).response
