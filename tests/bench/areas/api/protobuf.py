"""How long a pod takes to decode from protobuf, divided by its JSON with msgspec: the pod of pods.py in both forms.

`pod.protobuf` has it as clients in Go encode it, with the fields that are not set (k8s.io/api 0.37). Rounds of both
alternate, and of each the fastest counts, since others can only make a round slower.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from master.schema.facts import facts
from master.schema.protobuf.decoder import Decoders
from master.schema.protobuf.frame import read_frame
from tests.bench.areas.api import pods

_BODY = Path(__file__).with_name("pod.protobuf")
_ROUNDS = 300
_CALLS = 50


def ratio() -> float:
    """Processor time of one decoding from protobuf, divided by that of one from JSON."""
    body, struct, decoders = _BODY.read_bytes(), facts().struct("core.v1.Pod"), Decoders()

    def protobuf() -> object:
        return decoders.decode(read_frame(body).raw, struct)

    text = msgspec.json.encode(protobuf())
    _check(msgspec.json.decode(text))
    fastest = {protobuf: 0, _decode(text): 0}
    for _ in range(_ROUNDS):
        for call, best in fastest.items():
            taken = _taken_ns(call)
            fastest[call] = min(best, taken) if best else taken
    of_protobuf, of_json = fastest.values()
    return of_protobuf / of_json


def _decode(text: bytes) -> Callable[[], object]:
    return lambda: msgspec.json.decode(text)


def _taken_ns(call: Callable[[], object]) -> int:
    begin = time.thread_time_ns()
    for _ in range(_CALLS):
        call()
    return time.thread_time_ns() - begin


def _check(value: dict[str, object]) -> None:
    """The file still has the pod of the other figures, besides empty objects that JSON leaves out."""
    missing = {name: part for name, part in pods.pod().items() if name not in ("apiVersion", "kind")}
    assert _contains(value, missing), "pod.protobuf has another pod than pods.py"


def _contains(value: object, part: object) -> bool:
    if isinstance(part, dict) and isinstance(value, dict):
        return all(_contains(value.get(name), inner) for name, inner in part.items())
    if isinstance(part, list) and isinstance(value, list):
        return len(value) == len(part) and all(_contains(a, b) for a, b in zip(value, part, strict=True))
    return value == part
