"""Interned values: equal texts become one object, and nothing that a client sees depends on it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from master.api.errors import ApiError
from master.api.identity import Caller
from master.api.pipeline.request import Permit, Request
from master.api.resources import Resources
from master.api.rest import bodies
from master.kinds import POD, PRIORITYCLASS
from master.kinds.core.pod.strategy import SPECS
from master.schema.checks import Findings
from master.schema.interning import Interner


def known(interner: Interner[Any], text: bytes, value: Any) -> Any:
    interner.offer(text, value)
    interner.offer(text, value)
    return value


def test_a_value_is_interned_when_its_text_comes_again() -> None:
    interner: Interner[list[int]] = Interner()
    value = [1]
    interner.offer(b"[1]", value)
    assert interner.find(b"[1]") is None
    interner.offer(b"[1]", value)
    assert interner.find(b"[1]") is value
    assert interner.find(b"[1 ]") is None


def test_the_texts_are_bounded_in_bytes_and_the_one_used_last_stays() -> None:
    interner: Interner[str] = Interner(max_bytes=10)
    for text in (b"aaaa", b"bbbb"):
        known(interner, text, text.decode())
    interner.find(b"aaaa")
    known(interner, b"cccc", "cccc")
    assert [interner.find(text) for text in (b"aaaa", b"bbbb", b"cccc")] == ["aaaa", None, "cccc"]


def test_a_result_is_computed_once_and_for_the_same_object_only() -> None:
    interner: Interner[list[int]] = Interner()
    calls: list[list[int]] = []

    def total(value: list[int]) -> int:
        calls.append(value)
        return sum(value)

    value = known(interner, b"[1,2]", [1, 2])
    assert [interner.result(value, total) for _ in range(3)] == [3, 3, 3] and len(calls) == 1
    assert interner.result([1, 2], total) == 3 and len(calls) == 2


def test_nothing_is_remembered_of_a_forgotten_value() -> None:
    interner: Interner[list[int]] = Interner(max_bytes=4)
    value = known(interner, b"[1]", [1])
    doubled = interner.changed(value, _doubled)
    assert interner.changed(value, _doubled) is doubled
    assert interner.result(doubled, len) == 2
    known(interner, b"[12]", [12])
    assert interner.changed(value, _doubled) is not doubled
    assert not interner._by_id.keys() & {id(value), id(doubled)}


def _doubled(value: list[int]) -> list[int]:
    return value * 2


def test_findings_are_repeated() -> None:
    interner: Interner[str] = Interner()
    value = known(interner, b"text", "text")

    def check(value: str, at: str, findings: Findings) -> None:
        findings.invalid(at, value, "wrong")
        findings.inert(f"{at}.a", "first")
        findings.inert(f"{at}.b", "second")

    collected = []
    for _ in range(3):
        findings = Findings()
        findings.inert("labels", "first")
        interner.check(value, "spec", check, findings)
        collected.append((findings.causes, findings.warnings))
    assert len(collected[0][0]) == 1 and len(collected[0][1]) == 2
    assert collected[1:] == [collected[0]] * 2


# -- pods ----------------------------------------------------------------------------------------------------------


def body(spec: str, *, name: str = "web", rest: str = "") -> bytes:
    return f'{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}"}},"spec":{spec}{rest}}}'.encode()


PLAIN = '{"containers":[{"name":"app","image":"nginx","env":[{"name":"A","value":"a: b"}]}]}'
SPECS_OF_CLIENTS = {
    "plain": PLAIN,
    "with spaces": '{"containers": [{"name": "app", "image": "nginx"}]}',
    "a null": '{"containers":[{"name":"app","image":"nginx","command":null}],"nodeName":null}',
    "an unknown field": '{"containers":[{"name":"app","image":"nginx"}],"replicas":1}',
    "a duplicate key": '{"containers":[],"containers":[{"name":"app","image":"nginx"}]}',
    "an escaped colon": '{"containers":[{"name":"app","image":"nginx\\u003a1"}],"hostname":"a","hostname":"b"}',
    "fields without effect": '{"containers":[{"name":"app","image":"nginx"}],"tolerations":[{"operator":"Exists"}]}',
    "a number as quantity": '{"containers":[{"name":"app","image":"nginx","resources":{"limits":{"cpu":2}}}]}',
    "a wrong value": '{"containers":[{"name":"App","image":"nginx"}],"dnsPolicy":"Never"}',
    "a wrong type": '{"containers":[{"name":"app","image":5}]}',
    "null": "null",
    "empty": "{}",
}


async def created(resources: Resources, me: Caller, text: bytes, field_validation: str) -> Any:
    """What a client sees of a creation, without what differs each time."""
    warnings: list[str] = []
    try:
        document = await bodies.decode(text, "application/json")
        pod = bodies.read(document, POD.schema, ("Pod", "v1"), field_validation, warnings)
        outcome = await resources.pipeline.create(await permit(resources, me), pod)
    except ApiError as error:
        return error.status()
    made = json.loads(outcome.entry.raw)
    await resources.delete(me, POD, "default", made["metadata"]["name"], grace_period_s=0)
    return made["spec"], made["status"], warnings, outcome.warnings


async def permit(resources: Resources, me: Caller) -> Permit:
    return await resources.pipeline.authorize(Request(me, "create", POD, "default"))


@pytest.mark.parametrize("field_validation", ["Warn", "Strict", "Ignore"])
@pytest.mark.parametrize("spec", SPECS_OF_CLIENTS.values(), ids=SPECS_OF_CLIENTS)
async def test_a_repeated_spec_is_answered_like_the_first(
    resources: Resources, me: Caller, spec: str, field_validation: str
) -> None:
    answers = [await created(resources, me, body(spec), field_validation) for _ in range(4)]
    assert answers[1:] == answers[:1] * 3


@pytest.mark.parametrize(
    "rest",
    [
        f',"spec":{PLAIN}',
        ',"spec":{}',
        ',"metadata":{"name":"web"}',
        ',"metadata":{"name":"web","name":"other"}',
        ',"unknown":1',
        ',"status":{"phase":5}',
        " ",
        "}",
        ',"status":{"message":"\xff"}',
        ',"metadata":{"managedFields":[{"fieldsV1":' + '{"a":' * 150 + "1" + "}" * 150 + "}]}",
    ],
)
async def test_the_rest_of_a_body_is_judged_although_its_spec_is_known(
    resources: Resources, me: Caller, rest: str
) -> None:
    text = body(PLAIN, rest=rest)
    text = text.replace("\xff".encode(), b"\xff")
    before = await created(resources, me, text, "Warn")
    for _ in range(3):
        await created(resources, me, body(PLAIN), "Warn")
    assert await created(resources, me, text, "Warn") == before


async def test_admission_applies_to_known_specs(resources: Resources, me: Caller) -> None:
    for _ in range(3):
        assert (await created(resources, me, body(PLAIN), "Warn"))[0]["priority"] == 0
    value = {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True}
    await resources.create(me, PRIORITYCLASS, PRIORITYCLASS.schema.read(value, []))
    spec, _, _, warnings = await created(resources, me, body(PLAIN), "Warn")
    assert spec["priority"] == 7 and any("priority" in warning for warning in warnings)


def test_pods_with_the_same_text_of_their_spec_share_it() -> None:
    first, second, third = (POD.schema.read_plain(body(PLAIN, name=name)) for name in ("a", "b", "c"))
    assert second is not None and third is not None and second.spec is third.spec
    assert first == POD.schema.read_plain(body(PLAIN, name="a"))
    assert SPECS.find(PLAIN.encode()) is second.spec


async def test_long_specs_are_interned_too(resources: Resources, me: Caller) -> None:
    variables = ",".join(f'{{"name":"V{number}","value":"{number}"}}' for number in range(200))
    spec = f'{{"containers":[{{"name":"app","image":"nginx","env":[{variables}]}}]}}'
    answers = [await created(resources, me, body(spec), "Strict") for _ in range(3)]
    assert answers[1:] == answers[:1] * 2 and SPECS.find(spec.encode()) is not None
