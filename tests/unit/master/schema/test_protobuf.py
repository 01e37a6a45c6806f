"""Messages of protobuf become the JSON that Kubernetes makes of them, and nothing that is malformed gets through.

tests/fixtures/kubernetes/protobuf.jsonl.gz has objects of all kinds with random fields, encoded by the packages of
Kubernetes 1.37: as protobuf and as JSON.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from master.schema.depth import MAX_DEPTH
from master.schema.facts import facts
from master.schema.protobuf.decoder import Decoders
from master.schema.protobuf.frame import read_frame
from master.schema.protobuf.wire import Malformed
from master.schema.tree import Anything, Items, Map, Node, Struct

_FILE = Path(__file__).parents[3] / "fixtures/kubernetes/protobuf.jsonl.gz"
_KINDS = Path(__file__).parents[3] / "fixtures/kubernetes/kinds.json"
_DECODERS = Decoders()


@cache
def _cases() -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(_FILE.read_bytes()).splitlines()]


def _expected(value: Any, node: Node) -> Any:
    """The JSON without nulls, which mean the same as missing fields, and without fields that the facts leave out."""
    if isinstance(value, dict) and isinstance(node, Struct):
        known = {name: part.node for name, part in node.fields.items() if not _left_out(part.node)}
        return {k: _expected(v, known[k]) for k, v in value.items() if k in known and v is not None}
    if isinstance(value, dict) and isinstance(node, Map):
        return {key: _expected(inner, node.item) for key, inner in value.items()}
    if isinstance(value, list) and isinstance(node, Items):
        return [_expected(inner, node.item) for inner in value]
    return value


def _left_out(node: Node) -> bool:
    item = node.item if isinstance(node, Items) else node
    return isinstance(item, Anything) and not item.name


def _decode(raw: bytes, type_name: str) -> dict[str, Any]:
    return _DECODERS.decode(raw, facts().struct(type_name))


def test_every_kind_is_decoded_as_kubernetes_decodes_it() -> None:
    for case in _cases():
        frame = read_frame(base64.b64decode(case["protobuf"]))
        assert {"kind": frame.kind, "apiVersion": frame.api_version}.items() <= case["json"].items()
        expected = {name: value for name, value in case["json"].items() if name not in ("kind", "apiVersion")}
        struct = facts().struct(case["type"])
        assert _DECODERS.decode(frame.raw, struct) == _expected(expected, struct), case["type"]


def test_the_data_have_every_kind() -> None:
    kinds = {(kind["group"], kind["version"], kind["kind"]) for kind in json.loads(_KINDS.read_text())}
    present = {(*case["json"]["apiVersion"].rpartition("/")[::2], case["json"]["kind"]) for case in _cases()}
    assert kinds <= present


def test_malformed_messages_raise_only_malformed() -> None:
    generator = random.Random(1)
    refused = 0
    for case in _cases():
        body = base64.b64decode(case["protobuf"])
        for _ in range(12):
            damaged = bytearray(body)
            for _ in range(generator.randint(1, 4)):
                damaged[generator.randrange(4, len(damaged))] = generator.choice((0, 1, 0x7F, 0x80, 0xFF, 0x0A))
            damaged = damaged[: generator.randint(len(damaged) // 2, len(damaged))]
            try:
                value = _decode(read_frame(bytes(damaged)).raw, case["type"])
            except Malformed:
                refused += 1
            else:
                msgspec.json.encode(value)
    assert refused > 500


def test_every_prefix_of_a_message_is_malformed_or_a_message() -> None:
    raw = read_frame(base64.b64decode(next(case["protobuf"] for case in _cases() if case["type"] == "core.v1.Pod"))).raw
    whole = _decode(raw, "core.v1.Pod")
    ends = 0
    for length in range(len(raw)):
        try:
            ends += _decode(raw[:length], "core.v1.Pod") != whole
        except Malformed:
            continue
    assert 0 < ends <= 3, "a message ends only between the fields of the object itself"


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80]) + _varint(number >> 7)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


NAME = _field(1, b"x")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        pytest.param(b"", {}, id="nothing"),
        pytest.param(_field(1, NAME), {"metadata": {"name": "x"}}, id="a field"),
        pytest.param(_field(1, NAME + _field(1, b"y")), {"metadata": {"name": "y"}}, id="the last text counts"),
        pytest.param(_field(15, b"new"), {}, id="an unknown field in bytes"),
        pytest.param(b"\x78\xff\xff\x7f", {}, id="an unknown number"),
        pytest.param(b"\x79" + b"\xff" * 8 + b"\x7d" + b"\xff" * 4, {}, id="unknown numbers of 8 and 4 bytes"),
        pytest.param(b"\x7b\x0a\x01a\x7c", {}, id="an unknown group"),
        pytest.param(b"\xfa\xff\x03\x01a" + _field(1, NAME), {"metadata": {"name": "x"}}, id="a tag of three bytes"),
        pytest.param(_field(2, _field(1, b"k")), {"data": {"k": ""}}, id="an entry without a value"),
        pytest.param(_field(2, b""), {"data": {"": ""}}, id="an empty entry"),
        pytest.param(_field(2, _field(2, b"v") + _field(1, b"k")), {"data": {"k": "v"}}, id="the value first"),
        pytest.param(
            _field(2, _field(1, b"k") + _field(9, b"")), {"data": {"k": ""}}, id="an entry with a third field"
        ),
        pytest.param(_field(3, _field(1, b"k") + _field(2, b"\0\xff")), {"binaryData": {"k": "AP8="}}, id="bytes"),
        pytest.param(b"\x20\x01", {"immutable": True}, id="a flag"),
        pytest.param(b"\x20\x00", {"immutable": False}, id="a pointer to false"),
        pytest.param(_field(1, b"\x38\x00"), {"metadata": {}}, id="0 that is not set"),
        pytest.param(_field(1, b"\x50\x00"), {"metadata": {"deletionGracePeriodSeconds": 0}}, id="a pointer to 0"),
        pytest.param(_field(1, _field(8, b"")), {"metadata": {}}, id="a time that is not set"),
        pytest.param(
            _field(1, _field(8, b"\x08\x80\x80\x80\x80\x10\x10\x07")),
            {"metadata": {"creationTimestamp": "2106-02-07T06:28:16Z"}},
            id="a time without its fractions",
        ),
    ],
)
def test_a_config_map(raw: bytes, value: dict[str, Any]) -> None:
    assert _decode(raw, "core.v1.ConfigMap") == value


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"\x0a", "cut off"),
        (b"\x0a\x05\x0a\x01x", "cut off"),
        (_field(1, b"\x0a\x05x"), "cut off"),
        (b"\x20", "cut off"),
        (b"\x7a\x05x", "cut off"),
        (b"\x79\x00", "cut off"),
        (b"\x20" + b"\xff" * 11, "longer than 64 bits"),
        (b"\x00\x00", "illegal field number"),
        (b"\x7c\x00", "illegal wire type 4"),
        (b"\x7e\x00", "illegal wire type 6"),
        (b"\x7b\x0b", "cut off"),
        (b"\x22\x01\x01", "field 4 has the wire type 2, not 0"),
        (b"\x08\x01", "field 1 has the wire type 0, not 2"),
        (_field(1, b"\x08\x01"), "field 1 has the wire type 0, not 2"),
        (_field(2, b"\x08\x01"), "of an entry has the wire type 0"),
        (_field(2, b"\x0a\x05k"), "cut off"),
        (_field(1, _field(1, b"\xff")), "not UTF-8"),
        (_field(1, _field(8, b"\x08" + b"\xff" * 8 + b"\x7f")), "not in the years"),
        (_field(1, _field(17, _field(7, _field(1, b"{")))), "not JSON"),
    ],
)
def test_malformed_config_maps(raw: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        _decode(raw, "core.v1.ConfigMap")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "does not begin"),
        (b"{}", "does not begin"),
        (b"k8s\0", "has no object"),
        (b"k8s\0\x0a", "cut off"),
        (b"k8s\0\x08\x01", "a number in place of bytes"),
        (b"k8s\0" + _field(3, b"gzip"), "has an encoding"),
        (b"k8s\0" + _field(1, _field(2, b"\xff")), "not UTF-8"),
    ],
)
def test_malformed_frames(body: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        read_frame(body)


def test_integers_are_signed_and_cut_to_their_bits() -> None:
    minus_one, large = b"\xff" * 9 + b"\x01", b"\xff\xff\xff\xff\x7f"
    assert _decode(b"\x10" + minus_one, "core.v1.ContainerPort")["hostPort"] == -1
    assert _decode(b"\x10" + large, "core.v1.ContainerPort")["hostPort"] == -1
    assert _decode(b"\x20" + minus_one, "core.v1.PodSpec")["terminationGracePeriodSeconds"] == -1


def test_a_list_of_integers_may_be_packed() -> None:
    assert _decode(b"\x20\x01\x22\x02\x02\x03", "core.v1.PodSecurityContext") == {"supplementalGroups": [1, 2, 3]}


def test_schemas_and_json_that_are_nested_too_deeply_are_refused() -> None:
    raw = b""
    for levels in (MAX_DEPTH, 5000):
        for _ in range(levels + 1):
            # A schema in the field "not" of a schema.
            raw = _field(28, raw)
        with pytest.raises(Malformed, match="nested too deeply"):
            _decode(raw, "apiextensions.v1.JSONSchemaProps")
    text = b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)
    with pytest.raises(Malformed, match="nested too deeply"):
        _decode(_field(2, _field(1, text)), "apps.v1.ControllerRevision")
