"""Specs of templates: they are decoded once, and no object is read differently for that."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from master.cache.specs import MOST, Specs
from master.cache.text import Text, divided, whole
from master.kinds import POD

NODE = "nodeName"


def text(name: str, spec: dict[str, Any], **metadata: Any) -> Text:
    entry = {"manager": "m", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}
    value = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **metadata, "managedFields": [entry]},
        "spec": spec,
        "status": {"phase": "Running"},
    }
    return divided(msgspec.json.encode(value), varying=POD.varying)


def read(specs: Specs, text: Text) -> tuple[Any, bool]:
    """The object as the cache reads it, and whether its spec was known. It must be the one that the text means."""
    obj = specs.decode(text)
    plain = POD.decode(whole(text))
    if obj is None:
        specs.offer(text, plain)
        return plain, False
    assert obj == plain
    return obj, True


def spec(node: str = "", image: str = "web:1", **more: Any) -> dict[str, Any]:
    return {"containers": [{"name": "web", "image": image}], **more, **({NODE: node} if node else {}), "priority": 1}


@pytest.mark.parametrize("nodes", [("", "", ""), ("n1", "n2", "n3")], ids=["waiting", "placed"])
def test_the_third_pod_of_a_template_shares_the_spec_of_the_second(nodes: tuple[str, ...]) -> None:
    specs = Specs(POD)
    results = [read(specs, text(f"p{node}", spec(node), labels={"of": node})) for node in nodes]
    assert [known for _, known in results] == [False, False, True]
    assert results[2][0].spec.containers is results[1][0].spec.containers
    assert results[2][0].spec.node_name == nodes[2]


@pytest.mark.parametrize(
    "pods",
    [
        [spec("n", nodeSelector={NODE: "n"}), spec("n", nodeSelector={NODE: "other"})],
        [spec(nodeSelector={NODE: ""}), spec(nodeSelector={NODE: "other"})],
        [spec(nodeSelector={NODE: "n"}), spec(nodeSelector={NODE: "other"})],
        [spec('a"b'), spec('a"c'), spec("n")],
        [spec("n"), spec('a\\u0041"b'), spec("ä")],
        [spec("n"), spec("n1"), {"containers": []}, {NODE: "n"}, {}],
    ],
)
def test_each_pod_is_what_its_text_means(pods: list[dict[str, Any]]) -> None:
    specs = Specs(POD)
    for _ in range(3):
        for number, each in enumerate(pods):
            read(specs, text(f"p{number}", each))


def test_metadata_may_look_like_a_spec() -> None:
    specs = Specs(POD)
    for _ in range(3):
        read(specs, text("p", spec("n"), annotations={"a": '},"spec":{'}))


def test_few_specs_are_kept() -> None:
    specs = Specs(POD)
    for number in range(2 * MOST):
        each = text("p", spec(image=f"web:{number}"))
        assert [read(specs, each)[1] for _ in range(3)] == [False, False, True]
    assert len(specs._known) == MOST
    assert not read(specs, text("p", spec(image="web:0")))[1]


def test_a_text_without_pieces_is_decoded_as_a_whole() -> None:
    specs = Specs(POD)
    plain = (b'{"metadata":{"name":"p"},"spec":{"nodeName":"n"},"status":{"phase":"Running"}}',)
    assert [read(specs, plain)[1] for _ in range(3)] == [False, False, False]
