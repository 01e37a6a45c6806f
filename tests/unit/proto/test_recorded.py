"""The recorded bytes of older releases are still read with their original meaning.

tests/unit/proto/recorded has, for each older protocol version that is still served, every message with every field set:
the bytes that the release serialized, and their meaning as JSON. A field that is renumbered, retyped or removed fails
here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from proto import contract
from proto.gen import session_pb2

RECORDED = Path(__file__).parent / "recorded"
VERSIONS = range(contract.OLDEST_PROTOCOL_VERSION, contract.PROTOCOL_VERSION)
MESSAGES = [
    pytest.param(name, message, id=f"{version}-{name}")
    for version in VERSIONS
    for name, message in json.loads((RECORDED / f"version-{version}.json").read_text()).items()
]


@pytest.mark.parametrize(("name", "recorded"), MESSAGES)
def test_a_message_of_an_older_version_keeps_its_meaning(name: str, recorded: dict[str, Any]) -> None:
    kind = getattr(session_pb2, name.partition("/")[0])
    message = kind.FromString(bytes.fromhex(recorded["hex"]))
    assert MessageToDict(message, preserving_proto_field_name=True) == recorded["says"]
    # No field is unknown here: an unknown field would be preserved, but without a meaning.
    message.DiscardUnknownFields()
    assert message.SerializeToString(deterministic=True).hex() == recorded["hex"]


@pytest.mark.parametrize(
    ("lowest", "highest", "common"),
    [
        pytest.param(1, 0, 1, id="the first release, which sends a single version"),
        pytest.param(1, 2, 2, id="release 0.1.0"),
        pytest.param(1, 3, 3, id="this release"),
        pytest.param(3, 3, 3, id="only the present version"),
        pytest.param(1, 9, 3, id="a newer release that still speaks ours"),
        pytest.param(4, 9, None, id="a newer release that does not"),
        pytest.param(0, 0, None, id="none"),
        pytest.param(4, 0, None, id="only a newer version"),
    ],
)
def test_the_highest_common_version_is_used(lowest: int, highest: int, common: int | None) -> None:
    assert contract.common_version(lowest, highest) == common
