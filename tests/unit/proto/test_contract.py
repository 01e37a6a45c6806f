"""The contract's pure functions, and the field numbers of the .proto files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proto import contract

SOURCES = sorted((Path(contract.__file__).parent).glob("*.proto"))


@pytest.mark.parametrize(
    ("user", "node"),
    [
        pytest.param("system:node:node1", "node1", id="node"),
        pytest.param("system:node:", None, id="no name"),
        pytest.param("sampan-admin", None, id="another user"),
        pytest.param("x-system:node:node1", None, id="prefix in the middle"),
    ],
)
def test_node_name_of_a_certificate(user: str, node: str | None) -> None:
    assert contract.node_name(user) == node


def test_node_name_and_node_user_are_inverse() -> None:
    assert contract.node_name(contract.node_user("a.b-c")) == "a.b-c"


def test_the_ca_hash_has_the_form_of_kubeadm() -> None:
    # The known SHA-256 of empty input.
    assert contract.ca_hash(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_field_numbers_are_never_used_twice(source: Path) -> None:
    for name, body in re.findall(r"message (\w+) \{((?:[^{}]|\{[^{}]*\})*)\}", source.read_text()):
        own = re.sub(r"message \w+ \{[^{}]*\}", "", body)
        numbers = re.findall(r"= (\d+);", own)
        assert len(numbers) == len(set(numbers)), name
