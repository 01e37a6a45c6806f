"""A lab's file, damaged in every way: named with the way out, or as it was; never taken for another lab's."""

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
    found = Layout("x", labs_root=tmp_path / "labs")
    StateFile(found).save(STATE)
    return found


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name not in (*BITS, "last byte lost")])
def test_a_damaged_file_says_how_to_go_on(layout: Layout, damage: str) -> None:
    """The last byte is a line's end."""
    DAMAGES[damage](layout.state_file)
    with pytest.raises(NotFound if damage == "missing" else LabError) as refused:
        StateFile(layout).load()
    if damage != "missing":
        assert str(layout.state_file) in str(refused.value)
        assert "`sampan down` removes the lab without it" in str(refused.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"name": "y"}, "it is of lab y", id="another lab's"),
        pytest.param({"version": 2}, "version 2 instead of 1", id="a newer release's"),
        pytest.param({"hosts": [3]}, "not readable", id="host"),
        pytest.param({"hosts": {"a": 1}}, "not readable", id="hosts"),
        pytest.param({"subnet": "nowhere"}, "not readable", id="subnet"),
        pytest.param({"registry": [1]}, "not readable", id="registry"),
    ],
)
def test_a_file_that_says_something_else_is_not_believed(layout: Layout, change: dict[str, object], says: str) -> None:
    document = json.loads(layout.state_file.read_text()) | change
    layout.state_file.write_text(json.dumps(document))
    with pytest.raises(LabError, match=says):
        StateFile(layout).load()


def test_a_wire_that_is_none_is_not_believed(layout: Layout) -> None:
    document = json.loads(layout.state_file.read_text())
    document["hosts"][0]["wire"] = [1]
    layout.state_file.write_text(json.dumps(document))
    with pytest.raises(LabError, match="not readable"):
        StateFile(layout).load()
