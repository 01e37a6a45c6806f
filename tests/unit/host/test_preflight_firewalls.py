"""firewalld: how its output is read, and that the remedy has a part for everything that it drops."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from host.preflight.facts import MASTER, Firewalld
from host.preflight.firewalls import parse
from host.preflight.judges import judge
from tests.unit.host.test_preflight_findings import but

LISTING = """\
home
  target: default
  interfaces: eth1
  sources: 192.0.2.0/24
  ports:

public (active)
  target: default
  interfaces:
  sources:
  services: dhcpv6-client ssh
  ports: 22/tcp 4000-5000/udp
  rich rules:

trusted (active)
  target: ACCEPT
  interfaces: wg0
  sources: 10.244.0.0/16 2001:db8::/64 ipset:friends 00:11:22:33:44:55
  ports:
"""
PODS = (IPv4Network("10.244.0.0/16"),)


@pytest.mark.parametrize(
    ("interface", "expected"),
    [
        ("eth0", Firewalld("", False, frozenset({"22/tcp", "4000-5000/udp"}), PODS)),
        ("eth1", Firewalld("home", False, frozenset(), PODS)),
        ("wg0", Firewalld("trusted", True, frozenset(), PODS)),
    ],
    ids=["of the default zone", "of another zone", "of a zone that takes everything"],
)
def test_a_link_is_in_its_zone_or_in_the_default_one(interface: str, expected: Firewalld) -> None:
    assert parse("public", LISTING, interface) == expected


ADD_PORT = "firewall-cmd --permanent --add-port=4789/udp"
ADD_SOURCE = "firewall-cmd --permanent --zone=trusted --add-source=10.244.0.0/16"


@pytest.mark.parametrize(
    ("settings", "remedies"),
    [
        pytest.param(None, [ADD_PORT, ADD_SOURCE], id="it does not say"),
        pytest.param(Firewalld(), [ADD_PORT, ADD_SOURCE], id="nothing is let in"),
        pytest.param(Firewalld(ports=frozenset({"4000-5000/udp"})), [ADD_SOURCE], id="the port, in a range"),
        pytest.param(Firewalld(ports=frozenset({"4789/tcp"}), trusted=PODS), [ADD_PORT], id="another protocol"),
        pytest.param(
            Firewalld("home", trusted=(IPv4Network("10.0.0.0/8"),)),
            ["firewall-cmd --permanent --zone=home --add-port=4789/udp"],
            id="pods, in a wider network",
        ),
        pytest.param(Firewalld("trusted", accepts=True), [ADD_SOURCE], id="a zone that takes everything"),
        pytest.param(Firewalld(ports=frozenset({"4789/udp"}), trusted=PODS), None, id="all of it"),
    ],
)
def test_the_remedy_adds_what_is_missing(settings: Firewalld | None, remedies: list[str] | None) -> None:
    findings = judge(but(active=frozenset({"firewalld"}), firewalld=settings))
    expected = [] if remedies is None else [" && ".join([*remedies, "firewall-cmd --reload"])]
    assert [finding.remedy for finding in findings] == expected


def test_a_master_needs_its_own_ports_open() -> None:
    ports = {"6443/tcp": "", "6444/tcp": ""}
    master = {"role": MASTER, "master": None, "engine": None, "kernel": None, "ports": ports}
    (finding,) = judge(
        but(**master, active=frozenset({"firewalld"}), firewalld=Firewalld(ports=frozenset({"6443/tcp"})))
    )
    assert finding.remedy == "firewall-cmd --permanent --add-port=6444/tcp && firewall-cmd --reload"
    (finding,) = judge(but(**master, active=frozenset({"ufw"})))
    assert finding.remedy == "ufw allow 6443/tcp && ufw allow 6444/tcp"
