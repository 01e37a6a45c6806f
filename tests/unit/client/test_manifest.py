"""Manifests as people write them, and the place that an error message names."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.errors import BadManifest
from client.manifest import parse, read

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"


def test_documents_keep_their_order_and_empty_ones_are_dropped() -> None:
    manifests = parse(f"---\n{POD}---\n# nothing\n---\n{POD.replace('a}', 'b}')}", "x.yaml")
    assert [manifest.document["metadata"]["name"] for manifest in manifests] == ["a", "b"]
    assert manifests[0].source == "x.yaml, document 1"


def test_a_list_becomes_its_items() -> None:
    pod = '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}'
    text = f'{{"apiVersion": "v1", "kind": "List", "items": [{pod}]}}'
    assert [manifest.document["kind"] for manifest in parse(text, "x")] == ["Pod"]


def test_yaml_means_what_it_means_to_kubectl() -> None:
    manifests = parse(POD + "data: {when: 2026-01-02, 1: one, at: 12:30:45, mode: &m 0644, yes: *m}\n", "x")
    expected = {"when": "2026-01-02", "1": "one", "at": "12:30:45", "mode": 420, "true": 420}
    assert manifests[0].document["data"] == expected


def test_a_sequence_of_json_objects_may_go_on_as_yaml() -> None:
    one, two = (f'{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "{name}"}}}}' for name in "ab")
    emoji = one.replace('"a"', '"\\ud83d\\ude00"')
    manifests = parse(f"{emoji}\n{two}\n---\n{POD}", "x")
    assert [manifest.document["metadata"]["name"] for manifest in manifests] == ["\U0001f600", "b", "a"]
    assert manifests[2].source == "x, document 3"


def test_numbers_of_json_are_read_as_those_of_yaml() -> None:
    head = '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "x": '
    numbers = [parse(f"{head}{number}}}", "x")[0].document["x"] for number in ("1.0", "1e3", "1.5", str(1 << 64))]
    assert [repr(number) for number in numbers] == ["1", "1000", "1.5", "1.8446744073709552e+19"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_encodings_of_files(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "pod.yaml"
    path.write_bytes((POD + "x: é\n").encode(encoding))
    assert read(path)[0].document["x"] == "é"


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
        (POD + "x: .nan\n", "x.yaml: line 4, column 4: JSON has no number that is not finite"),
        (POD + "x: !!binary '?'\n", "x.yaml: line 4, column 4: !!binary"),
        ('{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}\n---\na: b: c', "x.yaml: line 3, column 5"),
    ],
    ids=[
        "syntax",
        "no-object",
        "no-version",
        "no-kind",
        "no-name",
        "number",
        "namespace",
        "empty",
        "nan",
        "binary",
        "after",
    ],
)
def test_an_error_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(BadManifest, match=r"^x") as raised:
        parse(text, "x.yaml")
    assert message in str(raised.value)
