"""The annotation of client-side apply: which fields kubectl may take, whatever text a client has put there."""

from __future__ import annotations

from typing import Any

import pytest

from master import kinds
from master.fieldmanager.build import Shapes
from master.fieldmanager.fieldset import EMPTY, FieldSet
from master.fieldmanager.forms import Form
from master.fieldmanager.lastapplied import ANNOTATION, allowed


def allowed_by(text: str) -> FieldSet:
    """The fields of a config map with this annotation that kubectl may take."""
    live: dict[str, Any] = {
        "apiVersion": "v1",
        "metadata": {"name": "c", "annotations": {ANNOTATION: text}},
        "data": {"a": "1", "b": "2"},
    }
    return allowed(Form(Shapes().of(kinds.CONFIGMAP.schema.full_tree)), "v1", live)


def test_only_fields_that_still_have_the_value_of_the_annotation_may_be_taken() -> None:
    fields = allowed_by('{"apiVersion": "v1", "data": {"a": "1", "b": "changed", "c": "gone"}}')
    assert fields.contains(("f:data", "f:a"))
    assert not fields.contains(("f:data", "f:b")) and not fields.contains(("f:data", "f:c"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        '{"apiVersion": "v2", "data": {"a": "1"}}',
        '{"apiVersion": "v1", "metadata": "text"}',
        '{"apiVersion": "v1", "metadata": {"ownerReferences": [1]}}',
        "[" * 100_000,
    ],
    ids=["empty", "no JSON", "no object", "another version", "text for an object", "numbers for items", "deep"],
)
def test_any_other_text_allows_nothing(text: str) -> None:
    assert allowed_by(text) == EMPTY
