"""The facts of the Kubernetes API: nothing is lost when they become trees of types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from master import kinds
from master.schema.facts import Facts, facts
from master.schema.models import full_struct_of
from master.schema.schema import Typed
from master.schema.tree import Anything, Field, Flag, Items, Map, Node, Number, NumberOrText, Struct, Text, places

KINDS: list[dict[str, Any]] = json.loads(Path("tests/fixtures/kubernetes/kinds.json").read_text())
# Types of an alpha version, which the facts leave out.
MISSING = {
    f"scheduling.v1alpha3.WorkloadPodGroup{name}"
    for name in ("DisruptionMode", "ResourceClaim", "SchedulingConstraints", "SchedulingPolicy")
}


def field(type_name: str, path: str) -> Field:
    struct = facts().struct(type_name)
    *outer, last = path.split(".")
    for name in outer:
        node = struct.fields[name].node
        while isinstance(node, Items | Map):
            node = node.item
        assert isinstance(node, Struct)
        struct = node
    return struct.fields[last]


def nodes(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Items | Map):
        yield from nodes(node.item)


def test_all_types_and_fields_are_there() -> None:
    all_facts = facts()
    structs = [all_facts.struct(name) for name in all_facts.types]
    assert len(structs) == 533
    assert sum(len(struct.fields) for struct in structs) == 2126
    fields = [part for struct in structs for part in struct.fields.values()]
    assert sum(part.required for part in fields) == 462
    assert sum(part.default is not None for part in fields) == 20
    assert sum(bool(part.patch) for part in fields) == 69
    assert sum(part.atomic is not None for part in fields) == 6
    assert sum(struct.atomic for struct in structs) == 28
    assert sum(len(struct.unions) for struct in structs) == 6
    lists = [part.node for part in fields if isinstance(part.node, Items)]
    assert sum(bool(node.merge_key) for node in lists) == 65
    assert sum(bool(node.keys) for node in lists) == 71


def test_every_field_has_a_number_or_is_in_an_embedded_message() -> None:
    for name in facts().types:
        struct = facts().struct(name)
        embedded = _embedded(struct)
        unnumbered = {field.name for field in struct.fields.values() if not field.number}
        assert unnumbered == embedded, name
        numbers = [field.number for field in struct.fields.values() if field.number]
        assert len(numbers) == len(set(numbers)), name


def _embedded(struct: Struct) -> set[str]:
    """The fields in embedded messages, which may embed others."""
    fields: set[str] = set()
    for part in struct.embedded:
        fields |= part.fields.keys() & struct.fields.keys()
        if part.fields.keys() - fields:
            fields |= _embedded(facts().struct(f"{struct.name.rpartition('.')[0]}.{part.message}"))
    return fields


def test_every_reference_resolves() -> None:
    all_facts = facts()
    structs = {id(all_facts.struct(name)) for name in all_facts.types}
    for name in all_facts.types:
        for part in all_facts.struct(name).fields.values():
            *_, last = nodes(part.node)
            assert not isinstance(last, Struct) or id(last) in structs
    assert all_facts.missing == MISSING


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind['group']}/{kind['version']}/{kind['kind']}")
def test_every_kind_has_a_type(kind: dict[str, Any]) -> None:
    name = facts().kinds[f"{kind['group']}/{kind['version']}/{kind['kind']}"]
    struct = facts().struct(name)
    assert "metadata" in struct.fields or kind["kind"] in ("Binding", "Eviction", "TokenRequest"), struct.fields
    assert next(places(struct), None) is not None


@pytest.mark.parametrize(
    ("type_name", "path", "node"),
    [
        ("core.v1.ConfigMap", "data", Map(Text())),
        ("core.v1.ConfigMap", "binaryData", Map(Text("bytes"))),
        ("core.v1.ContainerPort", "containerPort", Number(32)),
        ("core.v1.PodSpec", "terminationGracePeriodSeconds", Number(64)),
        ("core.v1.PodSpec", "hostNetwork", Flag()),
        ("core.v1.ServicePort", "targetPort", NumberOrText()),
        ("core.v1.ResourceRequirements", "limits", Map(Text("quantity"))),
        ("meta.v1.ObjectMeta", "creationTimestamp", Text("time")),
        ("core.v1.Event", "eventTime", Text("microtime")),
        ("apiextensions.v1.JSONSchemaProps", "maximum", Number(0)),
        ("apiextensions.v1.JSONSchemaProps", "items", Anything()),
        ("apps.v1.ControllerRevision", "data", Anything()),
        ("meta.v1.ManagedFieldsEntry", "fieldsV1", Anything()),
        ("certificates.v1.CertificateSigningRequestSpec", "extra", Map(Items(Text()))),
        ("core.v1.PodSpec", "tolerations.key", Text()),
        ("core.v1.ServiceSpec", "clusterIPs", Items(Text())),
        ("meta.v1.ObjectMeta", "finalizers", Items(Text(), "set")),
    ],
)
def test_types(type_name: str, path: str, node: Node) -> None:
    assert field(type_name, path).node == node


def test_lists_and_patches() -> None:
    ports = field("core.v1.Container", "ports")
    assert isinstance(ports.node, Items)
    assert (ports.number, ports.patch) == (6, "merge")
    assert (ports.node.kind, ports.node.keys) == ("map", ("containerPort", "protocol"))
    assert ports.node.merge_key == "containerPort"
    assert field("core.v1.PodSpec", "volumes").patch == "merge,retainKeys"
    assert field("core.v1.PodSpec", "nodeSelector").atomic is True
    assert field("core.v1.PersistentVolumeSpec", "claimRef").atomic is False
    assert facts().struct("core.v1.ObjectReference").atomic
    assert field("core.v1.Container", "name").required
    assert field("core.v1.ContainerPort", "protocol").default == "TCP"


def test_fields_of_an_embedded_message_have_its_number() -> None:
    [handler] = facts().struct("core.v1.Probe").embedded
    assert (handler.message, handler.number, handler.fields["httpGet"]) == ("ProbeHandler", 1, 2)


def test_a_type_may_contain_itself() -> None:
    schema = facts().struct("apiextensions.v1.JSONSchemaProps")
    node = schema.fields["properties"].node
    assert isinstance(node, Map) and node.item is schema


def test_string_types_have_their_values() -> None:
    assert facts().choices("core/v1.PreemptionPolicy") == ("PreemptLowerPriority", "Never")


def test_types_that_nobody_asks_for_are_not_decoded() -> None:
    content = b'{"version":"1","types":{"a.A":{"fields":{"b":"string 1"}},"a.Bad":[]},"kinds":{},"enums":{}}'
    small = Facts(content)
    assert small.struct("a.A").fields["b"].number == 1
    with pytest.raises(ValueError, match="Expected `object`"):
        small.struct("a.Bad")


# -- typed models -----------------------------------------------------------------------------------------------------

# Another server than Kubernetes' API server has the group metrics.k8s.io, so that the facts lack it.
TYPED = [kind for kind in kinds.ALL if isinstance(kind.schema, Typed) and kind.group != "metrics.k8s.io"]
# Fields of a model that the API does not have at this place: kind and apiVersion, and those of a shared model.
OURS = {"apiVersion", "kind", "subPath", "subPathExpr", "mountPropagation"}


@pytest.mark.parametrize("kind", TYPED, ids=lambda kind: kind.kind)
def test_models_get_what_their_annotations_do_not_say(kind: Any) -> None:
    tree = kind.schema.full_tree
    assert tree.name == facts().kinds[f"{kind.group}/{kind.version}/{kind.kind}"]
    for place in places(tree):
        if not place.field.number and place.field.name not in OURS:
            assert "." in place.path
            outer = _outer(tree, place.path)
            assert any(place.field.name in part.fields for part in outer.embedded), place.path


def _outer(tree: Struct, path: str) -> Struct:
    struct = tree
    for step in path.split(".")[:-1]:
        node = struct.fields[step.partition("[")[0].partition("{")[0]].node
        while isinstance(node, Items | Map):
            node = node.item
        assert isinstance(node, Struct)
        struct = node
    return struct


@pytest.mark.parametrize("kind", TYPED, ids=lambda kind: kind.kind)
def test_models_have_the_types_of_the_api(kind: Any) -> None:
    for path, mine, theirs in _pairs(kind.schema.tree, facts().struct(kind.schema.full_tree.name), "", set()):
        if isinstance(theirs, Text) and theirs.format in ("bytes", "microtime"):
            # Models have their own checks for bytes; both times are RFC 3339.
            assert isinstance(mine, Text), path
        elif not isinstance(mine, Anything):
            assert _plain(mine) == _plain(theirs), path


def _pairs(mine: Node, theirs: Node, at: str, seen: set[tuple[int, str]]) -> Iterator[tuple[str, Node, Node]]:
    if isinstance(mine, Struct) and isinstance(theirs, Struct):
        if (id(mine), theirs.name) not in seen:
            seen.add((id(mine), theirs.name))
            for name in mine.fields.keys() & theirs.fields.keys():
                yield from _pairs(mine.fields[name].node, theirs.fields[name].node, f"{at}.{name}", seen)
    elif isinstance(mine, Items | Map) and type(mine) is type(theirs):
        yield from _pairs(mine.item, theirs.item, f"{at}[]", seen)  # type: ignore[union-attr]
    elif not (isinstance(mine, Map) and isinstance(mine.item, Anything)):
        yield at, mine, theirs


def _plain(node: Node) -> tuple[object, ...]:
    """The type of a value, without its rules."""
    match node:
        case Text():
            return Text, node.format
        case Number():
            return Number, node.bits
        case _:
            return (type(node),)


def test_a_model_of_two_kinds_with_one_name_says_which_it_is() -> None:
    assert full_struct_of(kinds.EVENT.schema.model).name == "core.v1.Event"  # type: ignore[attr-defined]


def test_rules_and_attributes_of_a_model_are_kept() -> None:
    spec = kinds.SERVICE.schema.full_tree.fields["spec"].node
    assert isinstance(spec, Struct)
    assert spec.fields["clusterIP"].attribute == "cluster_ip"
    ports = spec.fields["ports"].node
    assert isinstance(ports, Items) and ports.merge_key == "port"
    assert isinstance(ports.item, Struct)
    [timeout] = [place for place in places(spec) if place.path == "sessionAffinityConfig.clientIP.timeoutSeconds"]
    assert timeout.field.node.rules.within == (1, 86400) and timeout.field.number == 1
