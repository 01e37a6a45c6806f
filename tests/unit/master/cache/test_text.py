"""The JSON of objects in pieces: equal sets of fields are shared, and nothing of the text changes."""

import msgspec
import pytest

from master.cache.text import Text, _remembered, divided, lean, size_of, whole


def entry(fields: bytes, manager: bytes = b"kubectl", more: bytes = b"") -> bytes:
    return b'{"manager":"%b","operation":"Update","fieldsType":"FieldsV1","fieldsV1":%b%b}' % (manager, fields, more)


def stored(name: bytes, *entries: bytes, spec: bytes = b"{}") -> bytes:
    metadata = b'{"name":"%b","managedFields":[%b]}' % (name, b",".join(entries))
    return b'{"apiVersion":"v1","kind":"Pod","metadata":%b,"spec":%b}' % (metadata, spec)


SPEC = b'{"f:spec":{"f:containers":{"k:{\\"name\\":\\"web\\"}":{".":{},"f:image":{}}}}}'
STATUS = b'{"f:status":{"f:phase":{}}}'
OF_STATUS = b',"subresource":"status"'


def test_the_sets_of_two_objects_are_the_same_bytes() -> None:
    a = divided(stored(b"a", entry(SPEC), entry(STATUS, b"agent", OF_STATUS)))
    b = divided(stored(b"b", entry(SPEC), entry(STATUS, b"agent", OF_STATUS)))
    assert a[1::2] == (SPEC, STATUS)
    assert all(ours is theirs for ours, theirs in zip(a[1::2], b[1::2], strict=True))


def test_a_new_state_shares_the_sets_of_the_last_one_however_long_ago_that_was() -> None:
    before = divided(stored(b"a", entry(SPEC)))
    for number in range(1000):
        divided(stored(b"other", entry(b'{"f:%d":{}}' % number)))
    after = divided(stored(b"a", entry(SPEC), spec=b'{"nodeName":"n"}'), before)
    assert after[1] is before[1]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        stored(b"a"),
        stored(b"a", entry(b"{}")),
        stored(b"a", entry(SPEC), entry(STATUS, b"agent", OF_STATUS), entry(b'{"f:x":{}}')),
        stored(b"a", entry(SPEC, more=OF_STATUS), spec=b'{"fieldsV1":{"a":1},"managedFields":[{"fieldsV1":5}]}'),
        stored(b"a", entry(b'{"k:{\\"name\\":\\"}]\\"}":{}}'), entry(STATUS)),
        stored(b"a", entry(b'{"k:{\\"name\\":\\"},{\\"}":{},"v:\\",\\\\\\"subresource\\\\\\":":{}}'), entry(STATUS)),
        stored(b"a", b'{"operation":"Update","fieldsV1":{"f:a":{}}}', b'{"fieldsV1":{"f:b":{}}}'),
        stored(b"a", b'{"fieldsV1": {"f:a": {}}, "manager": "x"}'),
    ],
)
def test_the_text_stays_the_same(text: bytes) -> None:
    pieces = divided(text)
    assert whole(pieces) == text
    assert size_of(pieces) == len(text)
    assert len(pieces) % 2 == 1
    # With any state before, and any value that varies.
    for before in ((), pieces, divided(POD, varying=VARYING)):
        assert whole(divided(text, before, VARYING)) == text
        assert lean(divided(text, before, VARYING)) == lean(pieces)


VARYING = ("nodeName", "hostname")


def pod(
    name: bytes, node: bytes = b"", *, before: Text = (), phase: bytes = b"Running", image: bytes = b"web:1"
) -> Text:
    where = b'"nodeName":"%b",' % node if node else b""
    spec = b'{"containers":[{"image":"%b"}],%b"restartPolicy":"Always"},"status":{"phase":"%b"}' % (image, where, phase)
    return divided(stored(name, entry(SPEC), spec=spec), before, VARYING)


POD = whole(pod(b"a", b"node-1"))


def test_the_specs_of_one_template_are_the_same_bytes_wherever_the_pods_are() -> None:
    a, b = pod(b"a", b"node-1"), pod(b"b", b"node-2", phase=b"Pending")
    assert [ours is theirs for ours, theirs in zip(a, b, strict=True)] == [False, True, True, False, True, False]
    assert (a[3], b[3]) == (b"node-1", b"node-2")
    assert a[-1] == b',"status":{"phase":"Running"}}'


def test_a_new_state_shares_the_spec_of_the_last_one_however_long_ago_that_was() -> None:
    before = pod(b"a", b"node-1", phase=b"Pending")
    for number in range(1000):
        pod(b"other", b"node-3", image=b"web:%d" % number)
    after = pod(b"a", b"node-1", before=before)
    assert [new is old for new, old in zip(after, before, strict=True)] == [False, True, True, True, True, False]


def test_a_spec_that_changes_is_divided_again() -> None:
    before = pod(b"a", b"node-1")
    assert pod(b"a", b"node-10", before=before)[2] is before[2]
    assert pod(b"a", b"node-1", before=pod(b"a")) == before
    assert whole(pod(b"a", before=before)) == whole(pod(b"a"))


@pytest.mark.parametrize(
    "spec", [b'{"nodeName":"', b'{"nodeName":"","hostname":"h"}', b'{"hostname":"h","nodeName":"n"}']
)
def test_a_spec_of_another_form_stays_the_same(spec: bytes) -> None:
    text = stored(b"a", entry(SPEC), spec=spec)
    assert whole(divided(text, varying=VARYING)) == text


def test_a_large_spec_is_not_kept_for_others() -> None:
    large = b"x" * 20_000
    a, b = pod(b"a", image=large), pod(b"a", image=large)
    assert a == b and a[2] is not b[2]


def test_the_lean_text_lacks_the_sets_and_nothing_else() -> None:
    spec = b'{"fieldsV1":{"a":1},"managedFields":[{"fieldsV1":5}]}'
    text = stored(b"a", entry(SPEC), entry(STATUS, b"agent", OF_STATUS), spec=spec)
    value = msgspec.json.decode(text)
    for each in value["metadata"]["managedFields"]:
        each["fieldsV1"] = {}
    assert msgspec.json.decode(lean(divided(text))) == value


def test_a_set_that_is_a_number_is_not_a_piece() -> None:
    before = divided(stored(b"a", entry(b"5")))
    text = stored(b"a", entry(b"51"))
    assert lean(divided(text, before)) == text


def test_sets_of_any_number_and_size_take_linear_time_and_little_memory() -> None:
    # Ten thousand managers, as the API accepts them. In quadratic time this takes half a minute.
    many = stored(b"a", *(entry(b'{"f:a":{}}', b"m%d" % number + b"m" * 120) for number in range(30_000)))
    assert whole(divided(many)) == many and len(divided(many)) < 100
    nameless = stored(b"a", *([b'{"fieldsV1":{"f:a":{}},"subresource":"x"}'] * 30_000))
    assert whole(divided(nameless)) == nameless
    before = _remembered.cache_info().currsize
    large = stored(b"a", entry(b'{"f:%b":{}}' % (b"x" * 1_000_000)))
    assert divided(large) == (large,) and _remembered.cache_info().currsize == before


@pytest.mark.parametrize("name", ["}]", '},{"manager":', ',"subresource":'])
def test_a_name_that_looks_like_the_end_of_a_set_does_no_harm(name: str) -> None:
    key = "k:" + msgspec.json.encode({"name": name}).decode()
    text = stored(b"a", entry(msgspec.json.encode({"f:env": {key: {}}})), entry(STATUS))
    pieces = divided(text)
    assert whole(pieces) == text
    assert msgspec.json.decode(lean(pieces))["metadata"]["name"] == "a"
