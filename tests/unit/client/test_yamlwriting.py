"""What is written as YAML is read as the same value."""

from __future__ import annotations

from typing import Any

import pytest

from client.yamltext import document
from client.yamlwriting import dump

TEXTS = [
    "",
    "yes",
    "on",
    "~",
    "null",
    "1",
    "1e3",
    "0x10",
    "0o7",
    "1_000",
    ".5",
    ".inf",
    "1:30",
    "2026-01-01",
    "-",
    "a: b",
]
VALUES: list[Any] = [
    *TEXTS,
    "# no",
    " a ",
    "a\nb",
    "a\nb\n\n",
    "\ta",
    "é\u2028",
    "a" * 300 + " b",
    "=",
    "<<",
    "!x",
    "\r\n",
]


@pytest.mark.parametrize("value", [*VALUES, None, True, 0, -1, 1.5, [], {}, [["a"], {"b": []}]], ids=repr)
def test_a_value_stays_the_same(value: Any) -> None:
    text = dump({"key": value, "keys": {str(value): value}})
    assert document(text).value == {"key": value, "keys": {str(value): value}}


def test_values_that_occur_twice_are_written_twice() -> None:
    shared = {"a": "1"}
    assert dump({"b": shared, "c": shared}) == 'b:\n  a: "1"\nc:\n  a: "1"\n'


def test_lines_of_text_stay_lines() -> None:
    assert dump({"a": "one\ntwo\n"}) == "a: |\n  one\n  two\n"
