"""The faults of a cable: bounds, description, record, and the packet filter rules."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.layout import Layout
from lab.network.wire_faults import rules_of
from lab.state import HostState, LabState, StateFile
from lab.wire import Way, Wire

MASTER = HostState("master", "master", IPv4Address("10.77.3.10"))
NODES = tuple(HostState(f"node{n}", "node", IPv4Address(f"10.77.3.{10 + n}")) for n in (1, 2, 3))


def lab_with(**wires: Wire) -> LabState:
    hosts = tuple(replace(host, wire=wires.get(host.name, Wire())) for host in (MASTER, *NODES))
    return LabState("x", IPv4Network("10.77.3.0/24"), hosts)


def cut(*ways: Way) -> Wire:
    return Wire(cuts=frozenset(ways))


@pytest.mark.parametrize(
    "values",
    [
        {"loss_percent": -1.0},
        {"loss_percent": 101.0},
        {"loss_percent": float("nan")},
        {"rate_mbit": 0.0},
        {"rate_mbit": float("inf")},
        {"mtu": 575},
        {"mtu": 65536},
    ],
    ids=str,
)
def test_values_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(LabError, match="is not between"):
        Wire(**values)  # type: ignore[arg-type]


def test_a_good_cable_has_no_faults_and_no_rules() -> None:
    assert Wire().faults() == ()
    assert list(rules_of(lab_with())) == []


def test_faults_are_described() -> None:
    wire = Wire(frozenset({Way.TO, Way.FROM_MASTER}), loss_percent=2.5, rate_mbit=10.0, mtu=1400)
    assert wire.faults() == ("cut from-master", "cut to", "loss 2.5 %", "rate 10 Mbit/s", "mtu 1400")
    assert replace(NODES[0], cut=True, wire=cut(Way.TO)).faults() == ("cut", "cut to")


@pytest.mark.parametrize(
    ("wire", "unplugged", "off"),
    [
        (Wire(), False, False),
        (Wire(), True, True),
        (cut(Way.FROM_PEERS), False, False),
        (cut(Way.FROM_MASTER), False, True),
        (cut(Way.TO), False, True),
        (cut(Way.FROM, Way.FROM_PEERS), False, True),
        (Wire(loss_percent=50.0), False, False),
    ],
)
def test_whether_a_cut_separates_a_host_from_the_master(wire: Wire, unplugged: bool, off: bool) -> None:
    assert replace(NODES[0], cut=unplugged, wire=wire).off_master is off


@pytest.mark.parametrize(
    ("wires", "expected"),
    [
        ({"node1": cut(Way.TO)}, ["-d 10.77.3.11/32 -j DROP"]),
        ({"node1": cut(Way.FROM)}, ["-m physdev --physdev-in node1 -j DROP"]),
        (
            {"node1": cut(Way.FROM_MASTER)},
            ["-s 10.77.3.11/32 -d 10.77.3.10/32 -j DROP", "-s 10.77.3.10/32 -d 10.77.3.11/32 -j DROP"],
        ),
        (
            {"node1": cut(Way.FROM_PEERS)},
            [
                "-s 10.77.3.11/32 -d 10.77.3.12/32 -j DROP",
                "-s 10.77.3.12/32 -d 10.77.3.11/32 -j DROP",
                "-s 10.77.3.11/32 -d 10.77.3.13/32 -j DROP",
                "-s 10.77.3.13/32 -d 10.77.3.11/32 -j DROP",
            ],
        ),
        (
            {"node1": Wire(loss_percent=20.0), "node2": cut(Way.TO)},
            [
                "-d 10.77.3.12/32 -j DROP",
                "-m physdev --physdev-in node1 -m statistic --mode random --probability 0.200000 -j DROP",
                "-d 10.77.3.11/32 -m statistic --mode random --probability 0.200000 -j DROP",
            ],
        ),
    ],
    ids=["to", "from", "from-master", "from-peers", "loss-after-cuts"],
)
def test_rules(wires: dict[str, Wire], expected: list[str]) -> None:
    assert list(rules_of(lab_with(**wires))) == [f"-A LAB-LINKS {rule}" for rule in expected]


class TestRecord:
    @pytest.fixture
    def file(self, tmp_path: Path) -> StateFile:
        return StateFile(Layout("x", labs_root=tmp_path))

    def test_is_loaded_as_it_was_saved(self, file: StateFile) -> None:
        state = lab_with(node1=Wire(frozenset(Way), 2.5, 10.0, 1400), master=Wire(mtu=9000))
        file.save(state)
        assert file.load() == state

    def test_of_an_earlier_release_has_no_faults(self, file: StateFile, tmp_path: Path) -> None:
        file.save(lab_with(node1=cut(Way.TO)))
        path = tmp_path / "x" / "lab.json"
        document = json.loads(path.read_text())
        for host in document["hosts"]:
            del host["wire"]
        path.write_text(json.dumps(document))
        assert file.load() == lab_with()

    def test_with_values_out_of_range_is_refused_with_a_remedy(self, file: StateFile, tmp_path: Path) -> None:
        file.save(lab_with(node1=Wire(mtu=1400)))
        path = tmp_path / "x" / "lab.json"
        path.write_text(path.read_text().replace("1400", "14"))
        with pytest.raises(LabError, match="sampan down"):
            file.load()
