"""The set of a new object, of parts that are computed once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from master import kinds
from master.fieldmanager.build import Shapes
from master.fieldmanager.fieldset import EMPTY, FieldSet
from master.fieldmanager.forms import compare
from master.fieldmanager.newsets import NewSets
from master.fieldmanager.ownership import UNTRACKED
from master.objects.meta import ObjectMeta, OwnerReference

SHAPE = Shapes().of(kinds.POD.schema.full_tree)
BEFORE: dict[str, Any] = {"metadata": {}, "spec": {"containers": []}, "status": {}}
# Long enough to be kept.
ARGS = ["x" * 300]


def pod(container: str, image: str = "nginx", **metadata: Any) -> dict[str, Any]:
    containers = [{"name": container, "image": image, "args": ARGS}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}}


def expected(value: dict[str, Any]) -> FieldSet:
    return compare(SHAPE, BEFORE, value).set - UNTRACKED


@pytest.mark.parametrize("max_bytes", [0, 1 << 20], ids=["kept by none", "kept"])
def test_a_set_is_the_same_whether_its_parts_are_kept_or_not(max_bytes: int) -> None:
    sets = NewSets(max_bytes=max_bytes)
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}
    values = [
        pod("a", labels={"x": "1"}, name="p"),
        pod("a", labels={"x": "2"}, name="q"),
        pod("a", labels={"y": "1"}, name="p"),
        pod("b", labels={"x": "1"}, annotations={"x": "1"}),
        pod("a", ownerReferences=[owner]),
        pod("a", ownerReferences=[{**owner, "uid": "v"}]),
        pod("a", "other"),
    ]
    for value in [*values, *values]:
        assert FieldSet.read(sets.json(sets.texts(SHAPE, BEFORE, value, EMPTY))) == expected(value)


@pytest.mark.parametrize("max_bytes", [0, 1 << 20], ids=["kept by none", "kept"])
def test_the_set_of_metadata_is_that_of_what_has_owners(max_bytes: int) -> None:
    sets = NewSets(max_bytes=max_bytes)
    owner = OwnerReference(api_version="v1", kind="Node", name="n", uid="u")
    metas = [
        ObjectMeta(name="p"),
        ObjectMeta(name="q", namespace="d", uid="1", generation=1),
        ObjectMeta(generate_name="p-", labels={"x": "1"}),
        ObjectMeta(labels={"x": "2", "y": "1"}),
        ObjectMeta(annotations={"x": "2"}),
        ObjectMeta(owner_references=(owner,)),
        ObjectMeta(owner_references=(replace(owner, uid="v"),)),
        ObjectMeta(finalizers=("a/b",)),
        ObjectMeta(finalizers=("c/d",)),
    ]
    for meta in [*metas, *metas]:
        text = sets.json({"metadata": sets.metadata(SHAPE, meta)})
        read = FieldSet.read(text) if text else EMPTY
        assert read == compare(SHAPE, {"metadata": {}}, {"metadata": msgspec.to_builtins(meta)}).set - UNTRACKED


def test_fields_that_a_write_may_not_set_are_left_out() -> None:
    sets = NewSets()
    value = {**pod("a"), "status": {"phase": "Running"}}
    text = sets.json(sets.texts(SHAPE, BEFORE, value, FieldSet.of(("f:status",))))
    assert FieldSet.read(text) == expected(pod("a"))


def test_an_object_with_nothing_set_has_no_set() -> None:
    sets = NewSets()
    assert sets.json(sets.texts(SHAPE, BEFORE, {"apiVersion": "v1", "metadata": {"name": "x"}}, EMPTY)) == b""
