"""Claims and ingresses without a class get the default class."""

from __future__ import annotations

from typing import Any

import pytest

from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds import INGRESS, INGRESSCLASS, PERSISTENTVOLUMECLAIM, STORAGECLASS
from master.objects.meta import ObjectMeta
from master.registry.resource import Resource
from master.schema.data import Untyped
from tests.fakes.clock import FakeClock

CLAIM_SPEC = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
INGRESS_SPEC = {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}
STORAGE = "storageclass.kubernetes.io/is-default-class"
BETA_STORAGE = "storageclass.beta.kubernetes.io/is-default-class"
INGRESSES = "ingressclass.kubernetes.io/is-default-class"
CONTENT: dict[Resource[Any], dict[str, Any]] = {
    STORAGECLASS: {"provisioner": "example.com/disks"},
    INGRESSCLASS: {"spec": {"controller": "example.com/proxy"}},
}

# Name, annotation and its value, of the classes in the order of their creation; a second passes between two.
Classes = tuple[tuple[str, str, str], ...]


async def add_classes(resources: Resources, me: Caller, kind: Resource[Any], classes: Classes) -> None:
    assert isinstance(resources.clock, FakeClock)
    for name, annotation, value in classes:
        meta = ObjectMeta(name=name, annotations={annotation: value})
        await resources.create(me, kind, Untyped(metadata=meta, content=CONTENT[kind]))
        await resources.clock.advance(1)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        pytest.param((), None, id="no class"),
        pytest.param((("a", STORAGE, "false"), ("b", "example.com/x", "true")), None, id="no default"),
        pytest.param((("a", STORAGE, "true"), ("b", STORAGE, "false")), "a", id="one default"),
        pytest.param((("b", STORAGE, "true"), ("a", STORAGE, "true")), "a", id="the newest, first by name"),
        pytest.param((("a", STORAGE, "true"), ("b", BETA_STORAGE, "true")), "b", id="the newest, beta annotation"),
    ],
)
async def test_the_default_class_of_claims(
    resources: Resources, me: Caller, classes: Classes, expected: str | None
) -> None:
    await add_classes(resources, me, STORAGECLASS, classes)
    claim = Untyped(metadata=ObjectMeta(name="data"), content={"spec": CLAIM_SPEC})
    made = await resources.create(me, PERSISTENTVOLUMECLAIM, claim, namespace="default")
    assert made.spec.get("storageClassName") == expected
    assert made.metadata.finalizers == ("kubernetes.io/pvc-protection",)


@pytest.mark.parametrize(
    ("spec", "annotations", "expected"),
    [
        pytest.param({"storageClassName": "other"}, {}, "other", id="a class"),
        pytest.param({"storageClassName": ""}, {}, "", id="no class by choice"),
        pytest.param({}, {"volume.beta.kubernetes.io/storage-class": ""}, None, id="the old annotation"),
    ],
)
async def test_the_choice_of_a_claim_stays(
    resources: Resources, me: Caller, spec: dict[str, Any], annotations: dict[str, str], expected: str | None
) -> None:
    await add_classes(resources, me, STORAGECLASS, (("fast", STORAGE, "true"),))
    meta = ObjectMeta(name="data", annotations=annotations)
    claim = Untyped(metadata=meta, content={"spec": {**CLAIM_SPEC, **spec}})
    made = await resources.create(me, PERSISTENTVOLUMECLAIM, claim, namespace="default")
    assert made.spec.get("storageClassName") == expected


@pytest.mark.parametrize(
    ("spec", "annotations", "classes", "expected"),
    [
        pytest.param({}, {}, (), None, id="no class"),
        pytest.param({}, {}, (("a", INGRESSES, "true"), ("b", INGRESSES, "false")), "a", id="one default"),
        pytest.param({}, {}, (("b", INGRESSES, "true"), ("a", INGRESSES, "true")), "a", id="the newest of two"),
        pytest.param({}, {}, (("a", INGRESSES, "true"), ("b", INGRESSES, "true")), "b", id="the newest of two again"),
        pytest.param({"ingressClassName": "c"}, {}, (("a", INGRESSES, "true"),), "c", id="a class"),
        pytest.param({}, {"kubernetes.io/ingress.class": "c"}, (("a", INGRESSES, "true"),), None, id="old annotation"),
    ],
)
async def test_the_default_class_of_ingresses(
    resources: Resources,
    me: Caller,
    spec: dict[str, Any],
    annotations: dict[str, str],
    classes: Classes,
    expected: str | None,
) -> None:
    await add_classes(resources, me, INGRESSCLASS, classes)
    meta = ObjectMeta(name="web", annotations=annotations)
    made = await resources.create(
        me, INGRESS, Untyped(metadata=meta, content={"spec": {**INGRESS_SPEC, **spec}}), namespace="default"
    )
    assert made.spec.get("ingressClassName") == expected


async def test_of_defaults_from_the_same_second_the_first_name_counts(resources: Resources, me: Caller) -> None:
    for name in ("b", "a", "c"):
        meta = ObjectMeta(name=name, annotations={STORAGE: "true"})
        await resources.create(me, STORAGECLASS, Untyped(metadata=meta, content=CONTENT[STORAGECLASS]))
    claim = Untyped(metadata=ObjectMeta(name="data"), content={"spec": CLAIM_SPEC})
    made = await resources.create(me, PERSISTENTVOLUMECLAIM, claim, namespace="default")
    assert made.spec["storageClassName"] == "a"
