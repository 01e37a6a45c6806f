"""Names, keys, texts, lists and bodies that are too long, and characters that are not allowed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import pytest

from master import kinds
from master.api.rest.bodies import MAX_BODY_BYTES, MAX_YAML_BYTES
from master.registry.resource import Resource
from master.schema.pruning import MAX_ITEMS
from tests.service.master.api.bad_input.conftest import MERGE, Direct, collection, document, refusal
from tests.service.master.api.bad_input.places import places_of_kind
from tests.service.master.api.bad_input.samples import EACH_KIND

CONFIGMAPS, SECRETS = collection(kinds.CONFIGMAP), collection(kinds.SECRET)
NUL, CONTROL, RIGHT_TO_LEFT, EDGE = "a\0b", "\x1b[31m\x7f\r\n", "\u202egpj.exe", "\ud7ff\uffff\U0010ffff"


BAD_METADATA: Final[Sequence[tuple[dict[str, Any], str]]] = [
    ({"name": "a" * 254}, "metadata.name"),
    ({"name": "x" * 100_000}, "metadata.name"),
    ({"name": "a", "labels": {"a": "b" * 64}}, "metadata.labels"),
    ({"name": "a", "labels": {"k" * 64: ""}}, "metadata.labels"),
    ({"name": "a", "labels": {"p" * 254 + "/k": ""}}, "metadata.labels"),
    ({"name": "a", "labels": {"k" * 1_000_000: ""}}, "metadata.labels"),
    ({"name": "a", "labels": {NUL: ""}}, "metadata.labels"),
    ({"name": "a", "labels": {"a": CONTROL}}, "metadata.labels"),
    ({"name": "a", "annotations": {"k": "v" * (256 << 10)}}, "metadata.annotations"),
    ({"name": "a", "annotations": {"k": "\u20ac" * (100 << 10)}}, "metadata.annotations"),
    ({"name": "a", "annotations": {f"k{n}": "v" * 2000 for n in range(150)}}, "metadata.annotations"),
    ({"name": "a", "annotations": {"k" * 64: ""}}, "metadata.annotations"),
    ({"name": "a", "finalizers": ["f" * 64]}, "metadata.finalizers"),
    ({"name": "a", "finalizers": [RIGHT_TO_LEFT]}, "metadata.finalizers"),
    ({"name": NUL}, "metadata.name"),
    ({"name": RIGHT_TO_LEFT}, "metadata.name"),
    ({"name": "a\n"}, "metadata.name"),
    ({"name": "A"}, "metadata.name"),
    ({"name": ".."}, "metadata.name"),
    ({"name": "a/b"}, "metadata.name"),
]
"""Metadata, and the field that is refused."""


@EACH_KIND
async def test_metadata_that_is_too_long_or_has_invalid_characters_is_refused(
    direct: Direct, kind: Resource[Any]
) -> None:
    """All of them on one server: with a server for each, most of the time would go into starting them."""
    refused = [await direct("POST", collection(kind), {**document(kind), "metadata": each}) for each, _ in BAD_METADATA]
    assert (await direct("POST", collection(kind), document(kind))).status == 201
    for (metadata, field), reply in zip(BAD_METADATA, refused, strict=True):
        assert field in refusal(reply, 422), metadata
        if metadata["name"] == "a":
            patched = await direct.patch(f"{collection(kind)}/x", {"metadata": {**metadata, "name": "x"}})
            assert field in refusal(patched, 422), metadata


async def test_the_longest_allowed_names_are_accepted(direct: Direct) -> None:
    for kind, name in ((kinds.POD, "a" * 253), (kinds.SERVICE, "a" * 63), (kinds.NAMESPACE, "a" * 63)):
        assert (await direct("POST", collection(kind), document(kind, name))).status == 201
        longer = await direct("POST", collection(kind), document(kind, name + "a"))
        assert "metadata.name" in refusal(longer, 422)
    body = {"metadata": {"name": "c", "labels": {"p" * 253 + "/" + "k" * 63: "v" * 63}}, "data": {"k" * 253: "v"}}
    assert (await direct("POST", CONFIGMAPS, body)).status == 201
    assert (await direct("POST", "/api/v1/namespaces", document(kinds.NAMESPACE, "a.b"))).status == 422


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (CONFIGMAPS, {"data": {"k": "v" * ((1 << 20) + 1)}}, "data"),
        (CONFIGMAPS, {"data": {f"k{n}": "\u20ac" * 1000 for n in range(400)}}, "data"),
        (CONFIGMAPS, {"binaryData": {"k": "AAAA" * 400_000}}, "data"),
        (CONFIGMAPS, {"binaryData": {"k": "not base64"}}, "binaryData[k]"),
        (CONFIGMAPS, {"data": {"k" * 254: ""}}, "data["),
        (CONFIGMAPS, {"data": {"../../etc/passwd": ""}}, "data[../../etc/passwd]"),
        (CONFIGMAPS, {"data": {NUL: ""}}, "data["),
        (CONFIGMAPS, {"data": {"": ""}}, "data[]"),
        (SECRETS, {"data": {"k": "%%%"}}, "data[k]"),
        (SECRETS, {"data": {"k": "AAA"}}, "data[k]"),
        (SECRETS, {"data": {"k": "\u0410AAA"}}, "data[k]"),
        (SECRETS, {"data": {"k": "AAAA" * 400_000}}, "data"),
        (SECRETS, {"stringData": {"k": "v" * ((1 << 20) + 1)}}, "data"),
        (SECRETS, {"stringData": {"k" * 254: "v"}}, "data["),
        (SECRETS, {"type": "kubernetes.io/tls", "data": {}}, "data[tls.crt]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_data_that_is_too_large_or_malformed_is_refused(
    direct: Direct, path: str, body: dict[str, Any], field: str
) -> None:
    fields = refusal(await direct("POST", path, {"metadata": {"name": "x"}, **body}), 422)
    assert any(named.startswith(field) for named in fields), fields
    assert (await direct("GET", f"{path}/x")).status == 404


@EACH_KIND
async def test_a_list_that_is_too_long_is_refused(direct: Direct, kind: Resource[Any]) -> None:
    seen: set[tuple[str, str]] = set()
    for place in places_of_kind(kind):
        if place.shape == "list" and (place.model, place.field) not in seen:
            seen.add((place.model, place.field))
            item: Any = None
            reply = await direct("POST", collection(kind), place.put(document(kind), [item] * (MAX_ITEMS + 1)))
            assert refusal(reply, 400) == [place.path()]
            assert f"at most {MAX_ITEMS}" in reply.json["message"]
    assert seen


async def test_an_object_with_thousands_of_errors_gets_a_short_response(direct: Direct) -> None:
    body = {"metadata": {"name": "x"}, "spec": {"containers": [{"env": [{}] * 1000}] * 20}}
    assert len(refusal(await direct("POST", collection(kinds.POD), body), 422)) == 50


# A pod is refused with 403 Forbidden if the class or account does not exist, whatever its name.
NAMES_OF_OTHERS = ("priorityClassName", "runtimeClassName", "serviceAccountName", "serviceAccount")


@EACH_KIND
async def test_any_text_is_stored_unchanged_or_refused_with_its_field(direct: Direct, kind: Resource[Any]) -> None:
    for place in places_of_kind(kind):
        if place.shape not in ("str", "int or str") or (kind is kinds.POD and place.field in NAMES_OF_OTHERS):
            continue
        for text in (NUL, CONTROL, RIGHT_TO_LEFT, EDGE, "x" * 5000):
            reply = await direct("POST", f"{collection(kind)}?dryRun=All", place.put(document(kind), text))
            if reply.status >= 400:
                assert refusal(reply, 400, 422), (place.path(), text)
            else:
                # The server ignores fields that it sets itself and fields of other subresources.
                assert place.get(reply.json) in (text, None) or place.steps[0] in ("metadata", "status", "spec")
                stored = place.get(reply.json)
                # A source of data that is neither a claim nor a snapshot is dropped, as in Kubernetes.
                ours = place.steps[0] == "metadata" or place.in_status or place.path().startswith("spec.dataSource.")
                assert ours or stored == text or place.field == "stringData", (place.path(), text, stored)


@pytest.mark.parametrize(
    ("body", "media", "message"),
    [
        (b'{"metadata":{"name":"\xff\xfe"}}', "application/json", "UTF-8"),
        (b'{"metadata":{"name":"\xc0\xaf"}}', "application/json", "UTF-8"),
        (b'{"metadata":{"name":"\xed\xa0\x80"}}', "application/json", "UTF-8"),
        (b'{"metadata":{"name":"\\ud800"}}', "application/json", "not JSON"),
        (b'{"metadata":{"name":"\\udc00x"}}', "application/json", "not JSON"),
        (b'{"metadata":{"\\ud800":"x"}}', "application/json", "not JSON"),
        (b'{"metadata":{"name":"a\nb"}}', "application/json", "not JSON"),
        (b'{"metadata":{"name":"a\0b"}}', "application/json", "not JSON"),
        (b"\xef\xbb\xbf{}", "application/json", "not JSON"),
        ('{"metadata":{"name":"x"}}'.encode("utf-16"), "application/json", "not JSON"),
        (b"", "application/json", "not JSON"),
        (b"{}{}", "application/json", "not JSON"),
        (b"{'a': 1}", "application/json", "not JSON"),
        (b'{"a": NaN}', "application/json", "not JSON"),
        (b'{"a": 1e999}', "application/json", "not JSON"),
        (b'{"a": ' + b"1" * 5000 + b"}", "application/json", "not JSON"),
        (b"[" * 100_000, "application/json", "nested too deeply"),
        (b'{"a":' * 100_000, "application/json", "nested too deeply"),
        (b'{"metadata":' + b"[" * 990 + b"]" * 990 + b"}", "application/json", "nested too deeply"),
        (b"[" * 1_000_000, "application/yaml", "nested too deeply"),
        (b"- " * 100_000, "application/yaml", "nested too deeply"),
        (b"a: .inf", "application/yaml", "not finite"),
        (b"a: &a " + b"x" * 100_000 + b"\nb: [" + b"*a, " * 20 + b"]", "application/yaml", "expand to more than 1 MiB"),
        (b"!!binary aGk=", "application/yaml", "object"),
        (b"!!binary '?'", "application/yaml", "not YAML"),
        (b"!!bool perhaps", "application/yaml", "not YAML"),
        (b'!!int ""', "application/yaml", "not YAML"),
        (b"!!python/object/apply:os.system [true]", "application/yaml", "object"),
        (b"? [a]\n: b", "application/yaml", "key must be text"),
        (b'a: "\\ud800"', "application/yaml", "not YAML"),
        (b"a: \0", "application/yaml", "not YAML"),
        (b"a\n---\nb", "application/yaml", "not YAML"),
        (b"just text", "application/yaml", "object"),
        (b"[]", "application/json", "object"),
        (b"null", "application/json", "object"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else "",
)
async def test_a_body_that_is_not_an_object_is_refused_with_the_reason(
    direct: Direct, body: bytes, media: str, message: str
) -> None:
    for path in (CONFIGMAPS, collection(kinds.POD)):
        reply = await direct("POST", path, body, media=media)
        refusal(reply, 400)
        assert message in reply.json["message"]
    if media == "application/json":
        assert (await direct("POST", CONFIGMAPS, document(kinds.CONFIGMAP))).status == 201
        for method, type_ in (("PUT", "application/json"), ("PATCH", MERGE)):
            refusal(await direct(method, f"{CONFIGMAPS}/x", body, media=type_), 400)


async def test_the_depth_of_a_field_of_any_type_is_limited(direct: Direct) -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = {"a": deep}
    options = {"containers": [{"name": "c", "image": "i", "securityContext": {"seLinuxOptions": deep}}]}
    pod = {"metadata": {"name": "x"}, "spec": options}
    refusal(await direct("POST", collection(kinds.POD), pod), 400)
    assert (await direct("POST", collection(kinds.POD), document(kinds.POD))).status == 201
    refusal(await direct.patch(f"{collection(kinds.POD)}/x", {"spec": options}), 400)


@pytest.mark.parametrize(
    ("media", "limit"), [("application/json", MAX_BODY_BYTES), ("application/yaml", MAX_YAML_BYTES)]
)
async def test_a_body_beyond_the_limit_is_too_large(direct: Direct, media: str, limit: int) -> None:
    body = json.dumps({"metadata": {"name": "x"}}).encode()
    refusal(await direct("POST", CONFIGMAPS, body + b" " * limit, media=media), 413)
    assert (await direct("POST", CONFIGMAPS, body + b" " * (limit - len(body)), media=media)).status == 201


@pytest.mark.parametrize(
    "selector",
    ["%20" * 2600 + "a", "a" + "+" * 7000, "a=b" + "+" * 7000 + "c", "a," * 2600 + "b=c"],
    ids=lambda text: str(len(text)),
)
@pytest.mark.parametrize("name", ["fieldSelector", "labelSelector"])
async def test_a_long_selector_is_parsed_quickly(direct: Direct, name: str, selector: str) -> None:
    # With a regular expression that backtracks, the first selector took minutes and blocked all other requests.
    reply = await direct("GET", f"{collection(kinds.POD)}?{name}={selector}")
    assert reply.status in (200, 400)


async def test_unknown_media_types_are_named(direct: Direct) -> None:
    for media in ("text/plain", "application/xml", "a" * 5000, "\u20ac", ";"):
        reply = await direct("POST", CONFIGMAPS, b"{}", media=media)
        assert reply.status in (415, 422), media
    assert (await direct("POST", CONFIGMAPS, document(kinds.CONFIGMAP))).status == 201
    for media in ("application/json", "application/json-patch", "application/apply-patch+cbor", "x"):
        refusal(await direct("PATCH", f"{CONFIGMAPS}/x", b"{}", media=media), 415)
