"""What a release before this one sent, byte by byte, is read as it was meant.

tests/unit/proto/recorded holds, for each protocol version that is still served, every message with every field set: as
that release serialized it, and what it says. A field that is renumbered, retyped or removed fails here.
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
def test_a_message_of_an_older_version_is_read_as_it_was_meant(name: str, recorded: dict[str, Any]) -> None:
    kind = getattr(session_pb2, name.partition("/")[0])
    message = kind.FromString(bytes.fromhex(recorded["hex"]))
    assert MessageToDict(message, preserving_proto_field_name=True) == recorded["says"]
    # Nothing of it is unknown here: it would come back, but mean nothing.
    message.DiscardUnknownFields()
    assert message.SerializeToString(deterministic=True).hex() == recorded["hex"]


@pytest.mark.parametrize(
    ("lowest", "highest", "common"),
    [
        pytest.param(1, 0, 1, id="the first release, which says one number"),
        pytest.param(1, 2, 2, id="this release"),
        pytest.param(2, 2, 2, id="only the present one"),
        pytest.param(1, 9, 2, id="a newer release that still speaks ours"),
        pytest.param(3, 9, None, id="a newer one that does not"),
        pytest.param(0, 0, None, id="none"),
        pytest.param(3, 0, None, id="only a newer one"),
    ],
)
def test_the_highest_common_version_is_spoken(lowest: int, highest: int, common: int | None) -> None:
    assert contract.common_version(lowest, highest) == common
