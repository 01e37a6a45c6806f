"""The zone by the examples of Kubernetes' DNS specification 1.1.0, and by what clients ask that has no answer."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netstack.dns.cluster import Endpoint, Port, Service, Settings
from netstack.dns.message import Message, Question, Rcode, Record, Type, decode, encode
from netstack.dns.names import name_of, text_of
from netstack.dns.zone import Zone

SETTINGS = Settings(
    "cluster.local", IPv4Address("10.3.0.10"), (IPv4Network("10.3.0.0/16"), IPv4Network("172.16.0.0/12"))
)
HTTPS = (Port("https", "tcp", 443),)


def address(text: str) -> IPv4Address:
    return IPv4Address(text)


@pytest.fixture
def zone() -> Zone:
    """The services of the specification's examples."""
    made = Zone(SETTINGS)
    made.put(Service("default", "kubernetes", address("10.3.0.1"), ports=HTTPS))
    made.put(
        Service(
            "default",
            "headless",
            ports=HTTPS,
            endpoints=(
                Endpoint(address("10.3.0.100"), "my-pet", HTTPS),
                Endpoint(address("10.3.0.101"), ports=HTTPS),
                Endpoint(address("10.3.0.102"), ports=HTTPS),
            ),
        )
    )
    made.put(Service("default", "foo", external_name="www.example.com"))
    made.put(Service("default", "empty"))
    return made


def shown(record: Record) -> str:
    """The record as in the specification, without its TTL."""
    message = decode(encode(Message(1, answers=(record,))))
    data = message.answers[0].data
    match record.type:
        case Type.A:
            text = str(IPv4Address(data))
        case Type.SRV:
            text = f"{int.from_bytes(data[4:6])} {_name(data[6:])}"
        case Type.PTR | Type.CNAME | Type.NS:
            text = _name(data)
        case Type.TXT:
            text = f'"{data[1:].decode()}"'
        case _:
            text = data.hex()
    return f"{text_of(record.name)} {Type(record.type).name} {text}"


def _name(data: bytes) -> str:
    labels = []
    while data[0]:
        labels.append(data[1 : 1 + data[0]].decode())
        data = data[1 + data[0] :]
    return ".".join(labels) + "."


def ask(zone: Zone, name: str, kind: Type = Type.A) -> tuple[int, list[str]]:
    answer = zone.answer(Question(name_of(name), kind))
    assert answer is not None
    if not answer.answers:
        assert [record.type for record in answer.authorities] == [Type.SOA]
    return answer.rcode, sorted(map(shown, answer.answers))


SVC = "default.svc.cluster.local."


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("dns-version.cluster.local.", Type.TXT, ['dns-version.cluster.local. TXT "1.1.0"']),
        (f"kubernetes.{SVC}", Type.A, [f"kubernetes.{SVC} A 10.3.0.1"]),
        (f"_https._tcp.kubernetes.{SVC}", Type.SRV, [f"_https._tcp.kubernetes.{SVC} SRV 443 kubernetes.{SVC}"]),
        ("1.0.3.10.in-addr.arpa.", Type.PTR, [f"1.0.3.10.in-addr.arpa. PTR kubernetes.{SVC}"]),
        (f"headless.{SVC}", Type.A, [f"headless.{SVC} A 10.3.0.{last}" for last in (100, 101, 102)]),
        (f"my-pet.headless.{SVC}", Type.A, [f"my-pet.headless.{SVC} A 10.3.0.100"]),
        (f"10-3-0-101.headless.{SVC}", Type.A, [f"10-3-0-101.headless.{SVC} A 10.3.0.101"]),
        (
            f"_https._tcp.headless.{SVC}",
            Type.SRV,
            [
                f"_https._tcp.headless.{SVC} SRV 443 {label}.headless.{SVC}"
                for label in ("10-3-0-101", "10-3-0-102", "my-pet")
            ],
        ),
        ("100.0.3.10.in-addr.arpa.", Type.PTR, [f"100.0.3.10.in-addr.arpa. PTR my-pet.headless.{SVC}"]),
        (f"foo.{SVC}", Type.A, [f"foo.{SVC} CNAME www.example.com."]),
        (f"foo.{SVC}", Type.CNAME, [f"foo.{SVC} CNAME www.example.com."]),
        ("10-244-1-5.default.pod.cluster.local.", Type.A, ["10-244-1-5.default.pod.cluster.local. A 10.244.1.5"]),
        ("cluster.local.", Type.NS, ["cluster.local. NS ns.dns.cluster.local."]),
        ("ns.dns.cluster.local.", Type.A, ["ns.dns.cluster.local. A 10.3.0.10"]),
        ("10.0.3.10.in-addr.arpa.", Type.PTR, ["10.0.3.10.in-addr.arpa. PTR ns.dns.cluster.local."]),
    ],
)
def test_the_examples_of_the_specification(zone: Zone, name: str, kind: Type, expected: list[str]) -> None:
    assert ask(zone, name, kind) == (Rcode.NOERROR, expected)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cluster.local.", Type.A),
        ("svc.cluster.local.", Type.A),
        (SVC, Type.A),
        (f"kubernetes.{SVC}", Type.AAAA),
        (f"kubernetes.{SVC}", Type.SRV),
        (f"_tcp.kubernetes.{SVC}", Type.SRV),
        (f"_https._tcp.kubernetes.{SVC}", Type.A),
        (f"empty.{SVC}", Type.A),
        ("default.pod.cluster.local.", Type.A),
        ("0.3.10.in-addr.arpa.", Type.PTR),
        ("1.0.3.10.in-addr.arpa.", Type.A),
    ],
)
def test_a_name_without_such_records_exists(zone: Zone, name: str, kind: Type) -> None:
    """NODATA and not NXDOMAIN: resolvers would take that to mean that nothing below the name exists (RFC 8020)."""
    assert ask(zone, name, kind) == (Rcode.NOERROR, [])


@pytest.mark.parametrize(
    "name",
    [
        f"missing.{SVC}",
        "kubernetes.other.svc.cluster.local.",
        "other.svc.cluster.local.",
        "nothing.cluster.local.",
        f"my-pet.kubernetes.{SVC}",
        f"_http._tcp.kubernetes.{SVC}",
        f"_https._udp.kubernetes.{SVC}",
        f"_udp.kubernetes.{SVC}",
        f"a.b.c.kubernetes.{SVC}",
        "300-1-1-1.default.pod.cluster.local.",
        "a.1-2-3-4.default.pod.cluster.local.",
        "99.0.3.10.in-addr.arpa.",
        "1.1.17.172.in-addr.arpa.",
    ],
)
def test_a_name_that_does_not_exist(zone: Zone, name: str) -> None:
    assert ask(zone, name) == (Rcode.NXDOMAIN, [])


@pytest.mark.parametrize(
    "name", ["example.com.", "local.", ".", "1.2.0.192.in-addr.arpa.", "172.in-addr.arpa.", "01.0.3.10.in-addr.arpa."]
)
def test_names_of_the_world_outside_are_not_answered(zone: Zone, name: str) -> None:
    assert zone.answer(Question(name_of(name), Type.A)) is None


def test_an_endpoint_outside_of_the_clusters_networks_has_a_reverse_name(zone: Zone) -> None:
    assert zone.answer(Question(name_of("9.2.0.192.in-addr.arpa"), Type.PTR)) is None
    zone.put(Service("default", "out", endpoints=(Endpoint(address("192.0.2.9")),)))
    expected = f"9.2.0.192.in-addr.arpa. PTR 192-0-2-9.out.{SVC}"
    assert ask(zone, "9.2.0.192.in-addr.arpa", Type.PTR) == (Rcode.NOERROR, [expected])


def test_case_does_not_matter_and_is_kept(zone: Zone) -> None:
    assert ask(zone, "KuberNetes.DEFAULT.svc.Cluster.Local") == (
        Rcode.NOERROR,
        ["KuberNetes.DEFAULT.svc.Cluster.Local. A 10.3.0.1"],
    )


def test_the_targets_of_srv_records_come_with_their_addresses(zone: Zone) -> None:
    answer = zone.answer(Question(name_of(f"_https._tcp.headless.{SVC}"), Type.SRV))
    assert answer is not None
    assert len(answer.additionals) == 3
    assert f"my-pet.headless.{SVC} A 10.3.0.100" in map(shown, answer.additionals)
    assert {int.from_bytes(record.data[2:4]) for record in answer.answers} == {33}


def test_an_alias_has_to_be_followed_unless_it_is_what_was_asked_for(zone: Zone) -> None:
    followed = zone.answer(Question(name_of(f"foo.{SVC}"), Type.AAAA))
    asked = zone.answer(Question(name_of(f"foo.{SVC}"), Type.CNAME))
    assert followed is not None
    assert followed.alias == name_of("www.example.com")
    assert asked is not None
    assert asked.alias is None


def test_a_changed_service_leaves_nothing_of_the_old_one(zone: Zone) -> None:
    zone.put(Service("default", "headless", endpoints=(Endpoint(address("10.3.0.101")),)))
    assert ask(zone, f"my-pet.headless.{SVC}")[0] == Rcode.NXDOMAIN
    assert ask(zone, "100.0.3.10.in-addr.arpa", Type.PTR)[0] == Rcode.NXDOMAIN
    assert ask(zone, "101.0.3.10.in-addr.arpa", Type.PTR)[0] == Rcode.NOERROR


def test_a_namespace_goes_with_its_last_service(zone: Zone) -> None:
    for name in ("kubernetes", "headless", "foo", "empty"):
        zone.remove(("default", name))
    assert ask(zone, SVC)[0] == Rcode.NXDOMAIN
    assert ask(zone, "1.0.3.10.in-addr.arpa", Type.PTR)[0] == Rcode.NXDOMAIN


@pytest.mark.parametrize(
    "make",
    [
        lambda: Service("default", "a.b"),
        lambda: Service("", "a"),
        lambda: Service("default", "a", external_name="a..b"),
        lambda: Endpoint(address("10.0.0.1"), "a.b"),
        lambda: Endpoint(address("10.0.0.1"), "a" * 64),
    ],
)
def test_names_that_dns_cannot_have_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match="domain name"):
        make()


LABEL = st.sampled_from(
    [b"kubernetes", b"default", b"svc", b"pod", b"cluster", b"local", b"_tcp", b"arpa", b"in-addr", b"10", b"3"]
)


@given(st.lists(LABEL | st.binary(min_size=1, max_size=63), max_size=7), st.integers(0, 300))
def test_any_question_has_an_answer_that_can_be_sent(labels: list[bytes], kind: int) -> None:
    made = Zone(SETTINGS)
    made.put(Service("default", "kubernetes", address("10.3.0.1"), ports=HTTPS))
    answer = made.answer(Question(tuple(labels), kind))
    if answer is not None:
        assert decode(encode(Message(1, answers=answer.answers))).answers == answer.answers
