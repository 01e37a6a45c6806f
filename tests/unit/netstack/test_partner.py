"""The other variant of iptables: where others filter with it, our packets must pass it as well."""

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


def test_nothing_is_written_where_nobody_filters(kernel: FakeKernel, tmp_path: Path) -> None:
    node = NodeNetwork(settings(tmp_path), kernel)
    node.apply(STATE)
    assert node.audit() == ()
    assert "PASSAGE" not in kernel.rules.save()


def test_a_filter_that_is_there_is_passed_and_left_as_it_was(kernel: FakeKernel, tmp_path: Path) -> None:
    partner = kernel.partner = firewall()
    before = partner.save()
    node = NodeNetwork(settings(tmp_path), kernel)
    node.apply(STATE)
    lines = partner.save().splitlines()
    (jump, theirs) = (line for line in lines if line.startswith("-A FORWARD"))
    assert jump.endswith("-j SAMPAN-PASSAGE")
    assert theirs == "-A FORWARD -s 192.0.2.0/24 -j ACCEPT"
    own = settings(tmp_path)
    for match in (f"-s {own.cluster_cidr}", f"-d {own.cluster_cidr}"):
        assert f"-A SAMPAN-PASSAGE {match} -j ACCEPT" in lines
    assert "*nat" not in lines, "services are the business of one variant"
    assert node.audit() == ()
    node.teardown()
    assert partner.save() == before


def test_a_filter_that_comes_later_or_pushes_itself_first_is_found_by_the_audit(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    node = NodeNetwork(settings(tmp_path), kernel)
    node.apply(STATE)
    kernel.partner = firewall()
    assert {repair.what for repair in node.audit(links=False)} == {"rules"}
    assert node.audit() == ()
    kernel.partner.restore("*filter\n-I FORWARD 1 -j DROP\nCOMMIT\n")
    assert node.audit(links=False)
    assert node.audit() == ()


def test_a_partner_that_refuses_keeps_nothing_else_from_being_mended(kernel: FakeKernel, tmp_path: Path) -> None:
    class Refusing(FakeIptables):
        def restore(self, text: str) -> None:
            raise RulesRefused("read-only")

    node = NodeNetwork(settings(tmp_path), kernel)
    node.apply(STATE)
    kernel.partner = Refusing()
    good = kernel.rules.save()
    kernel.rules.restore("*filter\n:SAMPAN-FORWARD - [0:0]\nCOMMIT\n")
    with pytest.raises(RulesRefused, match="read-only"):
        node.audit()
    assert kernel.rules.save() == good
