"""Bodies in protobuf do what the same bodies in JSON do.

The bodies of the first test are those of tests/fixtures/kubernetes/protobuf.jsonl.gz, with random fields.
"""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from master.cache import Serving
from master.registry.registry import Registry
from master.schema.protobuf.frame import MEDIA_TYPE
from tests.service.master.api.bad_input.conftest import Direct, direct, refusal  # noqa: F401 - a fixture
from tests.service.master.api.test_runtime_kinds import NEW as WIDGETS
from tests.service.master.api.test_runtime_kinds import widgets

_FILE = Path(__file__).parents[3] / "fixtures/kubernetes/protobuf.jsonl.gz"
PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
CONTROLLERS = "/api/v1/namespaces/default/replicationcontrollers"


def _field(number: int, content: bytes | str) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def _body(api_version: str, kind: str, raw: bytes) -> bytes:
    type_meta = _field(1, api_version) + _field(2, kind)
    return b"k8s\0" + _field(1, type_meta) + b"\x12" + bytes([len(raw)]) + raw


def _config_map(name: str, **data: str) -> bytes:
    entries = b"".join(_field(2, _field(1, key) + _field(2, value)) for key, value in data.items())
    return _body("v1", "ConfigMap", _field(1, _field(1, name)) + entries)


def _path(registry: Registry, body: dict[str, Any]) -> str | None:
    """The path where a body is created; None if its kind is not served."""
    resource = registry.of_kind(body["apiVersion"], body["kind"])
    if resource is None or "create" not in resource.verbs:
        return None
    root = f"/apis/{body['apiVersion']}" if "/" in body["apiVersion"] else f"/api/{body['apiVersion']}"
    place = "/namespaces/default" if resource.namespaced else ""
    return f"{root}{place}/{resource.plural}?fieldValidation=Strict"


async def test_a_body_has_the_answer_of_the_same_body_in_json(direct: Direct) -> None:  # noqa: F811
    """Random values are refused; so both forms must have the same causes."""
    compared = 0
    for line in gzip.decompress(_FILE.read_bytes()).splitlines():
        case = json.loads(line)
        path = _path(direct.resources.registry, case["json"])
        if path is None:
            continue
        binary = await direct("POST", path, base64.b64decode(case["protobuf"]), media=MEDIA_TYPE)
        text = await direct("POST", path, case["json"])
        assert (binary.status, _causes(binary)) == (text.status, _causes(text)), case["type"]
        compared += 1
    assert compared > 20


def _causes(reply: Any) -> Any:
    if reply.status < 400:
        return None
    return sorted(
        (cause.get("reason"), cause.get("field")) for cause in reply.json.get("details", {}).get("causes", [])
    )


async def test_an_object_is_created_and_updated(direct: Direct) -> None:  # noqa: F811
    created = await direct("POST", MAPS, _config_map("m", a="1"), media=MEDIA_TYPE)
    assert (created.status, created.json["data"]) == (201, {"a": "1"})
    assert created.headers["Content-Type"] == "application/json"
    updated = await direct("PUT", f"{MAPS}/m", _config_map("m", b="2"), media=MEDIA_TYPE)
    assert (updated.status, updated.json["data"]) == (200, {"b": "2"})
    large = {f"key-{number:04}": "x" * 100 for number in range(2000)}
    raw = b"".join(
        b"\x12" + bytes([len(entry)]) + entry
        for entry in (_field(1, key) + _field(2, value) for key, value in large.items())
    )
    sizes = bytes([len(raw) & 0x7F | 0x80, len(raw) >> 7 & 0x7F | 0x80, len(raw) >> 14])
    changed = await direct("PUT", f"{MAPS}/m", b"k8s\0\x12" + sizes + raw, media=MEDIA_TYPE)
    assert (changed.status, changed.json["data"]) == (200, large)


async def test_bodies_of_subresources_and_deletions(direct: Direct) -> None:  # noqa: F811
    spec = {"containers": [{"name": "c", "image": "i"}]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
    await direct("POST", PODS, {"metadata": {"name": "p"}, "spec": spec})
    await direct("POST", CONTROLLERS, {"metadata": {"name": "r"}, "spec": {"template": template}})
    scale = _body("autoscaling/v1", "Scale", _field(2, b"\x08\x03"))
    scaled = await direct("PUT", f"{CONTROLLERS}/r/scale", scale, media=MEDIA_TYPE)
    assert (scaled.status, scaled.json["spec"]) == (200, {"replicas": 3})
    node = await direct("POST", "/api/v1/nodes", {"metadata": {"name": "n"}})
    binding = _body("v1", "Binding", _field(1, _field(1, "p")) + _field(2, _field(1, "Node") + _field(3, "n")))
    bound = await direct("POST", f"{PODS}/p/binding", binding, media=MEDIA_TYPE)
    assert (node.status, bound.status) == (201, 201), bound.json
    wrong = _body("v1", "DeleteOptions", _field(2, _field(1, "another-uid")))
    refusal(await direct("DELETE", f"{PODS}/p", wrong, media=MEDIA_TYPE), 409)
    at_once = _body("v1", "DeleteOptions", b"\x08\x00")
    assert (await direct("DELETE", f"{PODS}/p", at_once, media=MEDIA_TYPE)).status == 200
    refusal(await direct("GET", f"{PODS}/p"), 404)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "does not begin"),
        (b"", "does not begin"),
        (_config_map("m")[:-1], "cut off"),
        (_body("v1", "Secret", _field(1, _field(1, "m"))), "the path takes a ConfigMap"),
        (_body("v1", "ConfigMap", b"\x08\x01"), "wire type"),
    ],
)
async def test_malformed_bodies_are_bad_requests(direct: Direct, body: bytes, message: str) -> None:  # noqa: F811
    reply = await direct("POST", MAPS, body, media=MEDIA_TYPE)
    refusal(reply, 400)
    assert message in reply.json["message"]


async def test_a_custom_resource_has_no_protobuf(direct: Direct) -> None:  # noqa: F811
    await Serving(direct.resources.registry, direct.resources.cache).add(widgets())
    refused = await direct("POST", WIDGETS, _body("example.com/v1", "Widget", b""), media=MEDIA_TYPE)
    refusal(refused, 415)
    assert "include: application/json, text/json, application/yaml" in refused.json["message"]


async def test_a_patch_is_not_protobuf(direct: Direct) -> None:  # noqa: F811
    await direct("POST", MAPS, _config_map("m"), media=MEDIA_TYPE)
    refusal(await direct("PATCH", f"{MAPS}/m", _config_map("m"), media=MEDIA_TYPE), 415)
