"""The rules as golden text, and the restore input that leads from the observed to the desired rules."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netstack.desired import Endpoint, ServicePort
from netstack.errors import RulesRefused
from netstack.fakerules import FakeIptables
from netstack.services.rules import probability, ruleset
from netstack.services.table import ObservedTable, Table, as_observed, difference, parse, restore_text
from netstack.services.writer import RuleWriter
from tests.unit.netstack.contract import settings

SETTINGS = settings(Path("/nonexistent"))
WEB = ServicePort(
    "default/web:http",
    "TCP",
    IPv4Address("10.96.0.10"),
    80,
    31002,
    (Endpoint(IPv4Address("10.244.1.2"), 8080), Endpoint(IPv4Address("10.244.2.2"), 8080)),
)
SILENT = ServicePort("default/none:", "UDP", IPv4Address("10.96.1.7"), 53, 31053)

GOLDEN = """\
*nat
:SAMPAN-SERVICES - [0:0]
:SAMPAN-MARK - [0:0]
:SAMPAN-MASQUERADE - [0:0]
:SAMPAN-POSTROUTING - [0:0]
:SAMPAN-CLUSTERIPS - [0:0]
:SAMPAN-NET-10.96.0.0 - [0:0]
:SAMPAN-EXT-WEB - [0:0]
:SAMPAN-NODEPORTS - [0:0]
:SAMPAN-NP-TCP-30976 - [0:0]
:SAMPAN-SVC-WEB - [0:0]
:SAMPAN-SEP-ONE - [0:0]
:SAMPAN-SEP-TWO - [0:0]
-I PREROUTING 1 -m comment --comment "sampan: service addresses" -j SAMPAN-SERVICES
-I OUTPUT 1 -m comment --comment "sampan: service addresses" -j SAMPAN-SERVICES
-I POSTROUTING 1 -m comment --comment "sampan: masquerade" -j SAMPAN-POSTROUTING
-A SAMPAN-SERVICES -d 10.96.0.0/16 -j SAMPAN-CLUSTERIPS
-A SAMPAN-SERVICES ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j SAMPAN-NODEPORTS
-A SAMPAN-MARK -j MARK --set-xmark 0x2000/0x2000
-A SAMPAN-MASQUERADE -j MARK --set-xmark 0x2000/0x0
-A SAMPAN-MASQUERADE -j MASQUERADE
-A SAMPAN-POSTROUTING -m mark --mark 0x2000/0x2000 -j SAMPAN-MASQUERADE
-A SAMPAN-POSTROUTING -s 10.244.1.0/24 ! -d 10.244.0.0/16 -j MASQUERADE
-A SAMPAN-CLUSTERIPS -d 10.96.0.0/26 -j SAMPAN-NET-10.96.0.0
-A SAMPAN-NET-10.96.0.0 -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -m comment --comment "default/web:http" \
-j SAMPAN-SVC-WEB
-A SAMPAN-EXT-WEB -j SAMPAN-MARK
-A SAMPAN-EXT-WEB -j SAMPAN-SVC-WEB
-A SAMPAN-NODEPORTS -p tcp -m tcp --dport 30976:31039 -j SAMPAN-NP-TCP-30976
-A SAMPAN-NP-TCP-30976 -p tcp -m tcp --dport 31002 -m comment --comment "default/web:http" -j SAMPAN-EXT-WEB
-A SAMPAN-SVC-WEB -m statistic --mode random --probability 0.50000000000 -m comment --comment "default/web:http" \
-j SAMPAN-SEP-ONE
-A SAMPAN-SVC-WEB -m comment --comment "default/web:http" -j SAMPAN-SEP-TWO
-A SAMPAN-SEP-ONE -s 10.244.1.2/32 -m comment --comment "default/web:http" -j SAMPAN-MARK
-A SAMPAN-SEP-ONE -p tcp -m comment --comment "default/web:http" -j DNAT --to-destination 10.244.1.2:8080
-A SAMPAN-SEP-TWO -s 10.244.2.2/32 -m comment --comment "default/web:http" -j SAMPAN-MARK
-A SAMPAN-SEP-TWO -p tcp -m comment --comment "default/web:http" -j DNAT --to-destination 10.244.2.2:8080
COMMIT
*filter
:SAMPAN-FORWARD - [0:0]
:SAMPAN-OUTPUT - [0:0]
:SAMPAN-INPUT - [0:0]
-I FORWARD 1 -m comment --comment "sampan: pods and services" -j SAMPAN-FORWARD
-I INPUT 1 -m comment --comment "sampan: node ports without endpoint" -j SAMPAN-INPUT
-I OUTPUT 1 -m comment --comment "sampan: services without endpoint" -j SAMPAN-OUTPUT
-A SAMPAN-FORWARD -d 10.96.0.0/16 -p tcp -m comment --comment "sampan: no endpoint" -j REJECT --reject-with tcp-reset
-A SAMPAN-FORWARD -d 10.96.0.0/16 -m comment --comment "sampan: no endpoint" -j REJECT \
--reject-with icmp-port-unreachable
-A SAMPAN-FORWARD -s 10.244.0.0/16 -j ACCEPT
-A SAMPAN-FORWARD -d 10.244.0.0/16 -j ACCEPT
-A SAMPAN-OUTPUT -d 10.96.0.0/16 -p tcp -m comment --comment "sampan: no endpoint" -j REJECT --reject-with tcp-reset
-A SAMPAN-OUTPUT -d 10.96.0.0/16 -m comment --comment "sampan: no endpoint" -j REJECT \
--reject-with icmp-port-unreachable
-A SAMPAN-INPUT -p udp -m udp --dport 31053 -m addrtype --dst-type LOCAL -m comment --comment "default/none:" \
-j REJECT --reject-with icmp-port-unreachable
COMMIT
"""


def named(text: str) -> str:
    """Replaces the hashes by words, in the order in which they appear."""
    for kind, words in {"EXT": ["WEB"], "SVC": ["WEB"], "SEP": ["ONE", "TWO"]}.items():
        for word in words:
            match = re.search(rf"SAMPAN-{kind}-([A-Z2-7]{{16}})", text)
            assert match is not None
            text = text.replace(match.group(0), f"SAMPAN-{kind}-{word}")
    return text


def test_the_whole_ruleset_as_text() -> None:
    rules = ruleset(SETTINGS, [SILENT, WEB])
    assert named(restore_text({name: difference(table, ObservedTable()) for name, table in rules.items()})) == GOLDEN


def test_chain_names_fit_the_kernel() -> None:
    far = ServicePort("n/s:p", "SCTP", IPv4Address("255.255.255.255"), 1, 32767, WEB.endpoints)
    for table in ruleset(SETTINGS, [far]).values():
        assert all(len(chain) <= 28 for chain in table.chains)


def test_the_nodes_own_dns_is_open_to_its_pods_and_itself_only() -> None:
    dns = IPv4Address("10.96.0.53")
    without, table = ruleset(SETTINGS, [SILENT])["filter"], ruleset(SETTINGS, [SILENT], dns=dns)["filter"]
    assert table.chains["SAMPAN-INPUT"] == (
        "-s 10.244.1.0/24 -d 10.96.0.53/32 -p tcp -m tcp --dport 53 -j ACCEPT",
        "-s 10.244.1.0/24 -d 10.96.0.53/32 -p udp -m udp --dport 53 -j ACCEPT",
        "-d 10.96.0.53/32 ! -i lo -p tcp -j REJECT --reject-with tcp-reset",
        "-d 10.96.0.53/32 ! -i lo -j REJECT --reject-with icmp-port-unreachable",
        *without.chains["SAMPAN-INPUT"],
    )
    assert table.chains["SAMPAN-OUTPUT"] == ("-d 10.96.0.53/32 -o lo -j RETURN", *without.chains["SAMPAN-OUTPUT"])


def test_the_order_of_services_and_endpoints_does_not_matter() -> None:
    mirrored = ServicePort(WEB.name, "tcp", WEB.cluster_ip, 80, 31002, WEB.endpoints[::-1] * 2)
    assert ruleset(SETTINGS, [WEB, SILENT]) == ruleset(SETTINGS, [SILENT, mirrored])


def test_one_more_endpoint_touches_two_chains_only() -> None:
    more = ServicePort(
        WEB.name, WEB.protocol, WEB.cluster_ip, 80, 31002, (*WEB.endpoints, Endpoint(IPv4Address("10.244.3.2"), 8080))
    )
    before, after = ruleset(SETTINGS, [WEB])["nat"], ruleset(SETTINGS, [more])["nat"]
    change = difference(after, as_observed({"nat": before})["nat"])
    assert [chain.split("-")[1] for chain in change.written] == ["SVC", "SEP"]
    assert change.removed == () and change.hooked == ()


@pytest.mark.parametrize("count", [2, 3, 4, 7, 11, 100])
def test_probabilities_split_evenly(count: int) -> None:
    left, shares = 1.0, []
    for remaining in range(count, 1, -1):
        shares.append(left * float(probability(remaining)))
        left -= shares[-1]
    assert all(abs(share - 1 / count) < 1e-8 for share in [*shares, left])


@pytest.mark.parametrize("name", ['a"b', "a b", "", "a\nb", "x" * 251])
def test_a_name_that_would_break_a_rule_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="comment"):
        ServicePort(name, "TCP", WEB.cluster_ip, 80)


def test_only_differences_are_written() -> None:
    desired = Table({"S-A": ("-j S-B",), "S-B": ("-j ACCEPT",)}, {"FORWARD": "-j S-A"})
    saved = """*filter
:FORWARD DROP [0:0]
:S-A - [0:0]
:S-B - [0:0]
:S-OLD - [0:0]
:THEIRS - [0:0]
-A FORWARD -j THEIRS
-A FORWARD -j S-A
-A THEIRS -j S-OLD
-A S-A -j S-B
COMMIT
"""
    change = difference(desired, parse(saved, "S-")["filter"])
    assert change.lines == (
        ":S-B - [0:0]",
        ":S-OLD - [0:0]",
        "-D FORWARD -j S-A",
        "-D THEIRS -j S-OLD",
        "-I FORWARD 1 -j S-A",
        "-A S-B -j ACCEPT",
        "-X S-OLD",
    )


SERVICES = st.lists(
    st.builds(
        ServicePort,
        name=st.integers(0, 9).map(lambda number: f"ns/s{number}:p"),
        protocol=st.sampled_from(["TCP", "UDP"]),
        cluster_ip=st.integers(1, 200).map(lambda number: IPv4Address("10.96.0.0") + number),
        port=st.integers(1, 3),
        node_port=st.sampled_from([0, 30000, 30063, 30064, 32767]),
        endpoints=st.lists(
            st.builds(Endpoint, st.integers(2, 9).map(lambda number: IPv4Address("10.244.1.0") + number), st.just(80)),
            max_size=4,
        ).map(tuple),
    ),
    max_size=8,
    unique_by=lambda service: (service.name, service.protocol),
)


@given(st.lists(SERVICES, min_size=1, max_size=5))
def test_the_rules_depend_only_on_the_last_state(states: list[list[ServicePort]]) -> None:
    tool, fresh = FakeIptables(), FakeIptables()
    writer = RuleWriter(tool, "SAMPAN-")
    for state in states:
        writer.apply(ruleset(SETTINGS, state))
        assert writer.audit(ruleset(SETTINGS, state)) == ()
    RuleWriter(fresh, "SAMPAN-").apply(ruleset(SETTINGS, states[-1]))
    assert parse(tool.save(), "SAMPAN-") == parse(fresh.save(), "SAMPAN-")
    writer.remove()
    assert "SAMPAN" not in tool.save()


def test_a_refused_write_is_repeated() -> None:
    class Failing(FakeIptables):
        failing = False

        def restore(self, text: str) -> None:
            if self.failing:
                raise RulesRefused("no")
            super().restore(text)

    tool = Failing()
    writer = RuleWriter(tool, "SAMPAN-")
    writer.apply(ruleset(SETTINGS, []))
    tool.failing = True
    with pytest.raises(RulesRefused):
        writer.apply(ruleset(SETTINGS, [WEB]))
    tool.failing = False
    writer.apply(ruleset(SETTINGS, [WEB]))
    assert writer.audit(ruleset(SETTINGS, [WEB])) == ()
