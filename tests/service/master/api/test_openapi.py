"""The documents of OpenAPI: their consistency, their forms, and how clients keep them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest

from master.registry.resource import Resource
from master.schema.data import Data
from master.schema.openapi import struct_of_schema
from tests.masters import Client, Reply

GO = "application/com.github.proto-openapi.spec.{}@v1.0+protobuf"
DOTTED = "application/com.github.proto-openapi.spec.{}.v1.0+protobuf"
METHODS = {"get", "put", "post", "delete", "patch"}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref" and isinstance(inner, str):
                yield inner
            yield from references(inner)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        yield from ((path, method, item[method]) for method in METHODS & item.keys())


def check(document: Any, schemas: dict[str, Any]) -> None:
    """All that must be true of a document of any version."""
    for reference in set(references(document)):
        at = document
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    kinds = {tuple(kind.values()) for schema in schemas.values() for kind in schema.get(EXTENSION, ())}
    for path, method, operation in operations(document):
        assert operation["x-kubernetes-action"], (path, method)
        if operation["x-kubernetes-action"] != "connect":
            assert tuple(operation[EXTENSION].values()) in kinds, (path, method)
        named = {part.strip("{}") for part in path.split("/") if part.startswith("{")}
        item = document["paths"][path].get("parameters", [])
        given = {part.get("name") or part["$ref"].rpartition("/")[2] for part in item}
        assert given == named, path


EXTENSION = "x-kubernetes-group-version-kind"


async def index(api: Client) -> dict[str, str]:
    paths = (await api("GET", "/openapi/v3")).json["paths"]
    return {name: item["serverRelativeURL"] for name, item in paths.items()}


async def test_the_second_version_is_consistent_and_has_every_kind(api: Client) -> None:
    document = (await api("GET", "/openapi/v2")).json
    check(document, document["definitions"])
    found: dict[tuple[str, ...], dict[str, set[str]]] = {}
    for _, method, operation in operations(document):
        parameters = {part.get("name") for part in operation["parameters"]}
        found.setdefault(tuple(operation[EXTENSION].values()), {}).setdefault(method, parameters)
    for resource in api.resources.registry:
        for version in api.resources.registry.listed(resource):
            of_kind = found[resource.group_of(version), resource.kind, version.name]
            writing = {"create": "post", "update": "put", "patch": "patch"}
            for verb, method in writing.items():
                # Old clients look for these before they ask for a dry run.
                if verb in resource.verbs:
                    assert {"dryRun", "fieldValidation"} <= of_kind[method], (resource, method)


async def test_each_document_of_the_third_version_is_complete_by_itself(api: Client) -> None:
    paths = await index(api)
    groups = api.resources.registry.group_versions()
    expected = {f"apis/{group}/{name}" if group else f"api/{name}" for group in groups for name in groups[group]}
    assert paths.keys() == expected
    for address in paths.values():
        document = (await api("GET", address)).json
        check(document, document["components"]["schemas"])


async def test_pods_are_described_with_all_that_patches_need(api: Client) -> None:
    schemas = (await api("GET", "/openapi/v3/api/v1")).json["components"]["schemas"]
    spec = schemas["io.k8s.api.core.v1.PodSpec"]
    assert spec["required"] == ["containers"] and spec["description"]
    containers = spec["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name" and containers["x-kubernetes-patch-strategy"] == "merge"
    assert containers["x-kubernetes-list-type"] == "map" and containers["x-kubernetes-list-map-keys"] == ["name"]
    assert spec["properties"]["volumes"]["x-kubernetes-patch-strategy"] == "merge,retainKeys"
    assert spec["properties"]["nodeSelector"]["x-kubernetes-map-type"] == "atomic"
    settings = schemas["io.k8s.api.core.v1.PodSecurityContext"]["properties"]
    assert settings["fsGroupChangePolicy"]["enum"] == ["Always", "OnRootMismatch"]
    port = schemas["io.k8s.api.core.v1.ContainerPort"]["properties"]["containerPort"]
    assert (port["type"], port["format"]) == ("integer", "int32")
    assert schemas["io.k8s.api.core.v1.SeccompProfile"]["x-kubernetes-unions"][0]["discriminator"] == "type"
    assert schemas["io.k8s.api.core.v1.NodeSelector"]["x-kubernetes-map-type"] == "atomic"


async def test_a_passive_kind_is_described_by_its_file(api: Client) -> None:
    schemas = (await api("GET", "/openapi/v3/apis/scheduling.k8s.io/v1")).json["components"]["schemas"]
    priority = schemas["io.k8s.api.scheduling.v1.PriorityClass"]
    assert priority["description"].startswith("Gives a name to a priority.")
    policy = priority["properties"]["preemptionPolicy"]
    assert policy["default"] == "PreemptLowerPriority" and set(policy["enum"]) == {"Never", "PreemptLowerPriority"}
    assert policy["description"].startswith("PreemptLowerPriority: pods of the class")
    assert priority["properties"]["value"]["maximum"] == 1_000_000_000


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields with bytes of a message in protobuf."""
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte, at, shift = message[at], at + 1, shift + 7
            value |= (byte & 0x7F) << (shift - 7)
            if byte < 0x80:
                return value

    while at < len(message):
        tag = number()
        if tag & 7 == 2:
            size = number()
            yield tag >> 3, message[at : at + size]
            at += size
        elif tag & 7 == 1:
            at += 8
        else:
            number()


def inside(message: bytes, *path: int) -> list[bytes]:
    """All values at a path of field numbers."""
    values = [message]
    for step in path:
        values = [inner for value in values for number, inner in fields(value) if number == step]
    return values


async def test_protobuf_has_the_same_names_as_the_text(api: Client) -> None:
    text = (await api("GET", "/openapi/v2")).json
    binary = await api("GET", "/openapi/v2", headers={"Accept": GO.format("v2")})
    # Fields of gnostic's messages: definitions 9, paths 8 with path 2, and the name of each is 1.
    assert [name.decode() for name in inside(binary.body, 9, 1, 1)] == list(text["definitions"])
    assert [name.decode() for name in inside(binary.body, 8, 2, 1)] == list(text["paths"])
    pod = inside(binary.body, 9, 1)[list(text["definitions"]).index("io.k8s.api.core.v1.Pod")]
    assert [name.decode() for name in inside(pod, 2, 25, 1, 1)] == list(
        text["definitions"]["io.k8s.api.core.v1.Pod"]["properties"]
    )
    group = "/openapi/v3/apis/discovery.k8s.io/v1"
    schemas = (await api("GET", group)).json["components"]["schemas"]
    third = await api("GET", group, headers={"Accept": DOTTED.format("v3")})
    assert [name.decode() for name in inside(third.body, 5, 1, 1, 1)] == list(schemas)


@pytest.mark.parametrize("path", ["/openapi/v2", "/openapi/v3/api/v1"])
async def test_the_form_is_the_one_that_the_client_accepts(api: Client, path: str) -> None:
    version = path[9:11]

    async def media(accept: str) -> Reply:
        return await api("GET", path, headers={"Accept": accept})

    assert (await media("application/json")).headers["Content-Type"] == "application/json"
    assert (await media("")).headers["Content-Type"] == "application/json"
    # The parser of Go's clients refuses a type with an @ in a response.
    asked = f"{GO.format(version)},application/json"
    assert (await media(asked)).headers["Content-Type"] == "application/octet-stream"
    assert (await media(DOTTED.format(version))).headers["Content-Type"] == DOTTED.format(version)
    refused = await media("text/html")
    assert (refused.status, refused.json["reason"]) == (406, "NotAcceptable")


async def test_a_document_is_compressed_for_those_who_accept_it(api: Client) -> None:
    plain = await api("GET", "/openapi/v2", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    # The client of the tests decompresses by itself.
    packed = await api("GET", "/openapi/v2", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and packed.body == plain.body
    assert int(packed.headers["Content-Length"]) == len(gzip.compress(plain.body, 6, mtime=0)) < len(plain.body) / 5
    assert packed.headers["ETag"] == plain.headers["ETag"]
    known = await api("GET", "/openapi/v2", headers={"If-None-Match": plain.headers["ETag"]})
    assert (known.status, known.body) == (304, b"")


async def test_an_address_with_the_hash_of_the_content_never_changes_its_meaning(api: Client) -> None:
    address = (await index(api))["api/v1"]
    path, _, tag = address.partition("?hash=")
    hashed = await api("GET", address)
    assert hashed.headers["Cache-Control"] == "public, immutable" and hashed.headers["Expires"].endswith("GMT")
    assert hashed.headers["ETag"] == f'"{tag}"'
    assert "Cache-Control" not in (await api("GET", path)).headers
    # The client of the tests follows the redirection.
    moved = await api("GET", f"{path}?hash=old")
    assert moved.body == hashed.body and moved.headers["Cache-Control"] == "public, immutable"
    binary = await api("GET", address, headers={"Accept": GO.format("v3")})
    assert binary.status == 200 and binary.headers["Cache-Control"] == "public, immutable"


async def test_a_resource_that_comes_at_run_time_is_described_and_one_that_goes_is_not(api: Client) -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    tree = Data("Gadget", struct_of_schema("Gadget", schema))
    gadget: Resource[Any] = Resource("Gadget", "gadgets", tree, group="example.org")
    before = await index(api)
    api.resources.registry.add(gadget)
    after = await index(api)
    assert after.keys() - before.keys() == {"apis/example.org/v1"}
    assert {name: after[name] for name in before} == before, "the others keep their addresses"
    document = (await api("GET", after["apis/example.org/v1"])).json
    check(document, document["components"]["schemas"])
    spec = document["components"]["schemas"]["org.example.v1.Gadget"]["properties"]["spec"]
    assert spec["properties"]["size"]["type"] == "integer"
    assert "org.example.v1.Gadget" in (await api("GET", "/openapi/v2")).json["definitions"]
    api.resources.registry.remove(gadget)
    assert await index(api) == before
    assert (await api("GET", "/openapi/v3/apis/example.org/v1")).status == 404


@pytest.mark.parametrize("path", ["/openapi", "/openapi/v1", "/openapi/v2/x", "/openapi/v3/apis", "/openapi/v3/api/v9"])
async def test_other_paths_do_not_exist(api: Client, path: str) -> None:
    assert (await api("GET", path)).status == 404
    assert (await api("POST", path, {})).status == 405
    assert (await api("GET", path, context=api.anonymous)).status == 401
