"""Objects as text for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cli.objects.description import described

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"a": 1, "long": "x"}, ["a:    1", "long: x"]),
        ({"a": True, "b": False, "c": None, "d": 0}, ["a: true", "b: false", "c: <none>", "d: 0"]),
        ({"a": {}, "b": []}, ["a: <none>", "b: <none>"]),
        ({"labels": {"app": "web"}}, ["labels:", "  app: web"]),
        ({"args": ["a", 2]}, ["args: a, 2"]),
        ({"args": ["a" * 60, "b" * 60]}, ["args:", f"  - {'a' * 60}", f"  - {'b' * 60}"]),
        ({"text": "a\n\nb"}, ["text:", "  a", "", "  b"]),
        ({"at": "2026-01-01T00:00:00Z"}, ["at: 2026-01-01T00:00:00Z (60m ago)"]),
        ({"text": "\x1b[31m", "lines": "\x07\r\nb\n"}, ["text: \\x1b[31m", "lines:", "  \\x07\\r", "  b"]),
        ({"at": "2027-01-01T00:00:00Z"}, ["at: 2027-01-01T00:00:00Z"]),
        (
            {"conditions": [{"message": "a long one", "type": "Ready"}, {"type": "Up", "hostIP": "x"}]},
            ["conditions:", "  TYPE   HOST-IP  MESSAGE", "  Ready  -        a long one", "  Up     x        -"],
        ),
        ({"l": [{"name": "a", "in": {"b": 1}}]}, ["l:", "  - name: a", "    in:", "      b: 1"]),
        ({"l": [[1, 2], [3]]}, ["l:", "  - 1, 2", "  - 3"]),
    ],
)
def test_a_record_as_text(fields: dict[str, Any], lines: list[str]) -> None:
    assert list(described(fields, NOW)) == lines
