"""A damaged state file of a lab is refused with a remedy, and never taken for the file of another lab."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from lab.errors import LabError, NotFound
from lab.layout import Layout
from lab.state import HostState, LabState, StateFile
from tests.fakes.damage import BITS, DAMAGES

STATE = LabState(
    "x",
    IPv4Network("10.77.3.0/24"),
    (
        HostState("master", "master", IPv4Address("10.77.3.10")),
        HostState("node1", "node", IPv4Address("10.77.3.11")),
    ),
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout("x", labs_root=tmp_path / "labs")
    StateFile(layout).save(STATE)
    return layout


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name not in (*BITS, "last byte lost")])
def test_a_damaged_file_is_refused_with_a_remedy(layout: Layout, damage: str) -> None:
    """Except for a lost last byte, which is only the end of the line."""
    DAMAGES[damage](layout.state_file)
    with pytest.raises(NotFound if damage == "missing" else LabError) as refused:
        StateFile(layout).load()
    if damage != "missing":
        assert str(layout.state_file) in str(refused.value)
        assert "`sampan down` removes the lab without it" in str(refused.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"name": "y"}, "it is of lab y", id="another lab's"),
        pytest.param({"version": 2}, "version 2 instead of 1", id="a newer release's"),
        pytest.param({"hosts": [3]}, "not readable", id="host"),
        pytest.param({"hosts": {"a": 1}}, "not readable", id="hosts"),
        pytest.param({"subnet": "nowhere"}, "not readable", id="subnet"),
        pytest.param({"registry": [1]}, "not readable", id="registry"),
    ],
)
def test_a_file_with_wrong_values_is_refused(layout: Layout, change: dict[str, object], message: str) -> None:
    document = json.loads(layout.state_file.read_text()) | change
    layout.state_file.write_text(json.dumps(document))
    with pytest.raises(LabError, match=message):
        StateFile(layout).load()


def test_a_file_with_a_malformed_wire_is_refused(layout: Layout) -> None:
    document = json.loads(layout.state_file.read_text())
    document["hosts"][0]["wire"] = [1]
    layout.state_file.write_text(json.dumps(document))
    with pytest.raises(LabError, match="not readable"):
        StateFile(layout).load()
