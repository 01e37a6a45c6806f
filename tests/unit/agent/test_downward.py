"""The downward API: fields and numbers in the kubelet's forms."""

from __future__ import annotations

import pytest

from agent.downward import metadata_field, quoted, reads_labels, resource_value
from agent.model import Container, Pod, PodUid, ResourceField
from agent.statuses import Capacity

NODE = Capacity(cpu_millis=3500, memory_bytes=8 << 30, pods=10, ephemeral_storage_bytes=100 << 30)
POD = Pod(
    PodUid("u1"),
    "default",
    "web",
    (Container("app", "web:1"),),
    labels={"b": "2", "a": "1"},
    annotations={"note": 'two\nlines "quoted"'},
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.namespace", "default"),
        ("metadata.uid", "u1"),
        ("metadata.labels", 'a="1"\nb="2"'),
        ("metadata.annotations", 'note="two\\nlines \\"quoted\\""'),
        ("metadata.labels['b']", "2"),
        ("metadata.annotations['note']", 'two\nlines "quoted"'),
        ("metadata.labels['none']", ""),
        ("spec.nodeName", None),
    ],
)
def test_fields_of_the_metadata(path: str, value: str | None) -> None:
    assert metadata_field(POD, path) == value


def test_only_labels_and_annotations_change() -> None:
    paths = ("metadata.labels", "metadata.annotations['a']", "metadata.name", "metadata.uid")
    assert [reads_labels(path) for path in paths] == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("", '""'),
        ("ä€", '"ä€"'),
        ("\\\t\a\v\b\f\r", '"\\\\\\t\\a\\v\\b\\f\\r"'),
        ("\x00\x7f", '"\\x00\\x7f"'),
        ("\u200b\U000e0001", '"\\u200b\\U000e0001"'),
    ],
)
def test_values_are_quoted_like_literals_of_go(text: str, literal: str) -> None:
    assert quoted(text) == literal


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (ResourceField("cpu", 1000, 250), "1"),
        (ResourceField("cpu", 1, 250), "250"),
        (ResourceField("cpu", 1000), "4"),
        (ResourceField("memory", 1 << 20), "8192"),
        (ResourceField("memory", 1 << 20, 1), "1"),
        (ResourceField("ephemeral-storage", 1 << 30), "100"),
        (ResourceField("hugepages-2Mi", 1), "0"),
        (ResourceField("cpu", 1000, 0), "0"),
    ],
)
def test_a_missing_limit_is_what_the_node_has(field: ResourceField, value: str) -> None:
    assert resource_value(field, NODE) == value
