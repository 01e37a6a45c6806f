"""The other variant of iptables: if others filter with it, it must accept our packets as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from netstack.errors import RulesRefused
from netstack.fake import FakeKernel
from netstack.fakerules import FakeIptables
from netstack.node import NodeNetwork
from tests.unit.netstack.contract import STATE, settings, underlay

FIREWALL = "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -s 192.0.2.0/24 -j ACCEPT\nCOMMIT\n"


@pytest.fixture
def kernel() -> FakeKernel:
    made = FakeKernel()
    made.host.change(underlay())
    return made


def firewall() -> FakeIptables:
    tool = FakeIptables()
    tool.restore(FIREWALL)
    return tool


def test_nothing_is_written_if_the_other_variant_does_not_filter(kernel: FakeKernel, tmp_path: Path) -> None:
    node = NodeNetwork(settings(tmp_path), kernel)
    node.apply(STATE)
    assert node.audit() == ()
    assert "PASSAGE" not in kernel.rules.save()


def test_an_existing_filter_lets_our_packets_through_and_is_not_changed(kernel: FakeKernel, tmp_path: Path) -> None:
    other = kernel.other_rules = firewall()
    before = other.save()
    node = NodeNetwork(settings(tmp_path), kernel)
    node.apply(STATE)
    lines = other.save().splitlines()
    (jump, foreign) = (line for line in lines if line.startswith("-A FORWARD"))
    assert jump.endswith("-j SAMPAN-PASSAGE")
    assert foreign == "-A FORWARD -s 192.0.2.0/24 -j ACCEPT"
    own = settings(tmp_path)
    for match in (f"-s {own.cluster_cidr}", f"-d {own.cluster_cidr}"):
        assert f"-A SAMPAN-PASSAGE {match} -j ACCEPT" in lines
    assert "*nat" not in lines, "only one variant has rules for services"
    assert node.audit() == ()
    node.teardown()
    assert other.save() == before


def test_an_audit_finds_a_filter_that_is_new_or_has_moved_to_the_front(kernel: FakeKernel, tmp_path: Path) -> None:
    node = NodeNetwork(settings(tmp_path), kernel)
    node.apply(STATE)
    kernel.other_rules = firewall()
    assert {repair.what for repair in node.audit(links=False)} == {"rules"}
    assert node.audit() == ()
    kernel.other_rules.restore("*filter\n-I FORWARD 1 -j DROP\nCOMMIT\n")
    assert node.audit(links=False)
    assert node.audit() == ()


def test_a_refusal_of_the_other_variant_does_not_stop_other_repairs(kernel: FakeKernel, tmp_path: Path) -> None:
    class Refusing(FakeIptables):
        def restore(self, text: str) -> None:
            raise RulesRefused("read-only")

    node = NodeNetwork(settings(tmp_path), kernel)
    node.apply(STATE)
    kernel.other_rules = Refusing()
    good = kernel.rules.save()
    kernel.rules.restore("*filter\n:SAMPAN-FORWARD - [0:0]\nCOMMIT\n")
    with pytest.raises(RulesRefused, match="read-only"):
        node.audit()
    assert kernel.rules.save() == good
