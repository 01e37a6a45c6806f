"""Manifests as people write them, and the place that an error message names."""

from __future__ import annotations

import pytest

from client.errors import BadManifest
from client.manifest import parse

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"


def test_documents_keep_their_order_and_empty_ones_are_dropped() -> None:
    manifests = parse(f"---\n{POD}---\n# nothing\n---\n{POD.replace('a}', 'b}')}", "x.yaml")
    assert [manifest.document["metadata"]["name"] for manifest in manifests] == ["a", "b"]
    assert manifests[0].source == "x.yaml, document 1"


def test_a_list_becomes_its_items() -> None:
    pod = '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}'
    text = f'{{"apiVersion": "v1", "kind": "List", "items": [{pod}]}}'
    assert [manifest.document["kind"] for manifest in parse(text, "x")] == ["Pod"]


def test_dates_and_numeric_keys_become_text() -> None:
    manifests = parse(POD + "data: {when: 2026-01-02, 1: one}\n", "x")
    assert manifests[0].document["data"] == {"when": "2026-01-02", "1": "one"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2", "x.yaml: line 2, column 2"),
        ("- 1\n", "expected an object, not list"),
        ("kind: Pod\nmetadata: {name: a}", "apiVersion is missing"),
        ("apiVersion: v1\nmetadata: {name: a}", "kind is missing"),
        ("apiVersion: v1\nkind: Pod\n", "metadata.name is missing"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: 12}", "metadata.name must be text, not 12: quote it"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: [b]}", "metadata.namespace must be text"),
        ("# only a comment\n", "contains no object"),
        (POD + "x: .nan\n", "cannot be written as JSON"),
        (POD + "x: !!binary aGk=\n", "cannot be written as JSON"),
    ],
    ids=["syntax", "no-object", "no-version", "no-kind", "no-name", "number", "namespace", "empty", "nan", "binary"],
)
def test_an_error_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(BadManifest, match=r"^x") as raised:
        parse(text, "x.yaml")
    assert message in str(raised.value)
