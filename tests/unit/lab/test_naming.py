"""Names, paths and subnets: derived from the lab's name, bounded, different for different labs."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab import layout as lab_layout
from lab.errors import LabError, Unusable
from lab.layout import Layout
from lab.network.subnets import POOLS, bridge_address, first_free, host_address, root_address


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a b", "a/b", "..", "a" * 25])
def test_invalid_names_are_refused(name: str) -> None:
    with pytest.raises(LabError, match="not a valid lab name"):
        Layout(name)


def test_the_longest_name_fits_the_kernel_s_limits() -> None:
    layout = Layout("a" * 24)
    assert len(layout.root_link) <= 15
    assert len(str(layout.host("node253").engine / "containerd.sock.ttrpc")) < 108


def test_a_lab_finds_only_its_own_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_layout, "NETNS_ROOT", tmp_path)
    for name in ("sampan-a-underlay", "sampan-a-node1", "sampan-a-b-node1", "sampan-ab-node1", "other"):
        (tmp_path / name).touch()
    assert [path.name for path in Layout("a").netns_paths()] == ["sampan-a-node1", "sampan-a-underlay"]
    assert [path.name for path in Layout("a-b").netns_paths()] == ["sampan-a-b-node1"]


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], "10.77.0.0/24"),
        (["10.77.0.0/24", "10.77.2.0/24"], "10.77.1.0/24"),
        (["10.77.0.0/17"], "10.77.128.0/24"),
        (["10.77.0.9/32"], "10.77.1.0/24"),
        (["0.0.0.0/0", "192.168.0.0/16"], "10.77.0.0/24"),
        (["10.0.0.0/8", "198.18.0.0/24"], "198.18.1.0/24"),
    ],
    ids=["first", "gap", "larger", "within", "elsewhere", "all-of-ten"],
)
def test_the_first_subnet_without_an_overlap_is_chosen(taken: list[str], expected: str) -> None:
    assert first_free(IPv4Network(text) for text in taken) == IPv4Network(expected)


def test_the_error_about_full_pools_has_a_remedy() -> None:
    with pytest.raises(Unusable, match="sampan down"):
        first_free(POOLS)


def test_addresses_in_a_subnet_differ() -> None:
    subnet = IPv4Network("10.77.5.0/24")
    addresses = {bridge_address(subnet), root_address(subnet), *(host_address(subnet, index) for index in range(244))}
    assert len(addresses) == 246
