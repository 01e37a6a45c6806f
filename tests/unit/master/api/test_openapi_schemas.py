"""How types become definitions: their names, references, rules and descriptions."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from msgspec import field

from master import kinds
from master.api.openapi import v2, v3
from master.api.openapi.catalog import catalog_of
from master.api.openapi.gnostic import DOCUMENT_V2, DOCUMENT_V3
from master.api.openapi.names import Scope, definition_name, operation_group
from master.objects.meta import Model, Object
from master.objects.scalars import choice, inert, refused
from master.registry.registry import Registry
from master.registry.resource import Resource
from master.schema.data import Data
from master.schema.facts import facts
from master.schema.openapi import struct_of_schema
from master.schema.schema import Typed
from master.schema.tree import Anything, Field, Items, Struct


@pytest.mark.parametrize(
    ("type_name", "name"),
    [
        ("core.v1.Pod", "io.k8s.api.core.v1.Pod"),
        ("rbac.v1.ClusterRole", "io.k8s.api.rbac.v1.ClusterRole"),
        ("policy.v1beta1.Eviction", "io.k8s.api.policy.v1beta1.Eviction"),
        ("meta.v1.ObjectMeta", "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"),
        ("ObjectMeta", "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"),
        (
            "apiextensions.v1.CustomResourceDefinition",
            "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
        ),
        ("apiregistration.v1.APIService", "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService"),
        ("runtime.RawExtension", "io.k8s.apimachinery.pkg.runtime.RawExtension"),
        ("CronTab", "com.example.stable.v1beta1.CronTab"),
        ("CronTab.spec", ""),
    ],
)
def test_definitions_are_named_as_in_kubernetes(type_name: str, name: str) -> None:
    scope = Scope("stable.example.com", "v1beta1")
    assert definition_name(type_name, scope, frozenset(facts().types)) == name


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("", "Core"),
        ("apps", "Apps"),
        ("rbac.authorization.k8s.io", "RbacAuthorization"),
        ("stable.example.com", "StableExampleCom"),
        ("my-group.io", "MyGroupIo"),
    ],
)
def test_groups_are_written_in_operation_ids_as_in_kubernetes(group: str, name: str) -> None:
    assert operation_group(group) == name


CRONTAB = {
    "type": "object",
    "description": "Runs a job.",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "description": "What to run.",
            "required": ["cron"],
            "properties": {
                "cron": {"type": "string", "pattern": "^x", "minLength": 2, "nullable": True},
                "replicas": {"type": "integer", "format": "int32", "minimum": 1, "default": 3},
                "port": {"x-kubernetes-int-or-string": True},
                "rest": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "steps": {
                    "type": "array",
                    "maxItems": 4,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {"type": "object", "properties": {"name": {"type": "string", "enum": ["a", "b"]}}},
                },
            },
        }
    },
}


def crontabs() -> Resource[Any]:
    return Resource("CronTab", "crontabs", Data("CronTab", struct_of_schema("CronTab", CRONTAB)), group="example.org")


class Screw(Model, frozen=True, kw_only=True):
    """Holds a part."""

    turns: int = 0


class Part(Model, frozen=True, kw_only=True):
    """A part of a gadget. `screw` may be missing."""

    screw: Screw | None = None


class Gadget(Object, frozen=True, kw_only=True):
    """A kind of this test.

    It is a typed
    model. `mode` says how it works: `Fast` or `Slow`.
    """

    mode: Annotated[str, choice("Fast", "Slow")] = ""
    speed: Annotated[int, inert("it would be faster", unless=(1, 2))] = 0
    power: Annotated[int, refused("the lights would go out")] | None = None
    part: Part | None = None
    parts: tuple[Part, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


def gadgets() -> Resource[Any]:
    return Resource("Gadget", "gadgets", Typed(Gadget), group="example.org", namespaced=False)


async def third(*resources: Resource[Any]) -> dict[str, Any]:
    document = dict(v3.documents(await catalog_of(Registry(resources))))["apis/example.org/v1"]
    assert DOCUMENT_V3.encode(document)
    schemas: dict[str, Any] = document["components"]["schemas"]
    return schemas


async def second(*resources: Resource[Any]) -> dict[str, Any]:
    document = v2.document(await catalog_of(Registry(resources)))
    assert DOCUMENT_V2.encode(document)
    definitions: dict[str, Any] = document["definitions"]
    return definitions


async def test_a_custom_resource_is_published_with_its_schema() -> None:
    crontab = (await third(crontabs()))["org.example.v1.CronTab"]
    assert crontab["description"] == "Runs a job." and crontab["required"] == ["spec"]
    assert crontab["x-kubernetes-group-version-kind"] == [{"group": "example.org", "kind": "CronTab", "version": "v1"}]
    spec = crontab["properties"]["spec"]
    assert spec["description"] == "What to run." and spec["required"] == ["cron"]
    fields = spec["properties"]
    assert fields["cron"] == {"type": "string", "pattern": "^x", "minLength": 2, "nullable": True}
    assert fields["replicas"] == {"type": "integer", "format": "int32", "minimum": 1, "default": 3}
    assert fields["rest"] == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    steps = {"type": "object", "properties": {"name": {"type": "string", "enum": ["a", "b"]}}}
    keys = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    assert fields["steps"] == {"type": "array", "items": steps, "maxItems": 4, **keys}


async def test_the_second_version_has_no_nulls_and_no_alternatives() -> None:
    definitions = await second(crontabs())
    fields = definitions["org.example.v1.CronTab"]["properties"]["spec"]["properties"]
    assert fields["cron"] == {"type": "string", "pattern": "^x", "minLength": 2}
    assert not any("oneOf" in schema for schema in definitions.values())


async def test_a_model_is_published_with_the_descriptions_of_its_docstring() -> None:
    schemas = await third(gadgets())
    gadget = schemas["org.example.v1.Gadget"]
    told = "A kind of this test.\n\nIt is a typed model. `mode` says how it works: `Fast` or `Slow`."
    assert gadget["description"] == told
    fields = gadget["properties"]
    assert fields["mode"]["description"] == "`mode` says how it works: `Fast` or `Slow`."
    assert fields["mode"]["enum"] == ["Fast", "Slow"]
    assert "description" not in fields["labels"]
    assert fields["speed"]["description"] == "It has no effect yet (except for 1, 2); otherwise, it would be faster."
    assert fields["power"]["description"] == "It is refused; otherwise, the lights would go out."


async def test_parts_of_a_model_have_definitions_beside_it() -> None:
    schemas = await third(gadgets())
    reference = {"$ref": "#/components/schemas/org.example.v1.Part"}
    assert schemas["org.example.v1.Gadget"]["properties"]["parts"]["items"] == reference
    described = schemas["org.example.v1.Part"]["properties"]["screw"]
    screw = {"$ref": "#/components/schemas/org.example.v1.Screw"}
    assert described == {"description": "`screw` may be missing.", "allOf": [screw]}
    same = (await second(gadgets()))["org.example.v1.Part"]["properties"]["screw"]
    assert same == {"description": "`screw` may be missing.", "$ref": "#/definitions/org.example.v1.Screw"}


async def test_a_type_that_contains_itself_refers_to_its_definition() -> None:
    tree = Struct("Node")
    tree.fields = {"children": Field("children", Items(tree)), "any": Field("any", Anything())}
    schemas = await third(Resource("Node", "nodes", Data("Node", tree), group="example.org"))
    (name,) = (name for name in schemas if name.endswith(".Node"))
    assert schemas[name]["properties"]["children"]["items"] == {"$ref": f"#/components/schemas/{name}"}
    assert schemas[name]["properties"]["any"] == {"x-kubernetes-preserve-unknown-fields": True}


async def test_the_tree_that_tells_most_is_published() -> None:
    """Two resources share a type: one of them has no descriptions of it."""
    plain = Resource("Binding", "bindings", Data("Binding", lambda: facts().struct("core.v1.Binding")))

    for resources in ((plain, kinds.POD), (kinds.POD, plain)):
        document = dict(v3.documents(await catalog_of(Registry(resources))))["api/v1"]
        reference = document["components"]["schemas"]["io.k8s.api.core.v1.ObjectReference"]
        assert reference.get("description"), resources


@pytest.mark.parametrize("lists_old", [False, True])
async def test_the_versions_are_those_that_discovery_lists(lists_old: bool) -> None:
    registry = kinds.registry(lists_old=lists_old)
    catalog = await catalog_of(registry)
    documents = dict(v3.documents(catalog))
    groups = registry.group_versions()
    assert documents.keys() == {
        f"apis/{group}/{name}" if group else f"api/{name}" for group in groups for name in groups[group]
    }
    paths = v2.document(catalog)["paths"]
    ids = [item[method]["operationId"] for item in paths.values() for method in item.keys() - {"parameters"}]
    assert len(ids) == len(set(ids))
