"""The texts of `Warning` headers, without the escapes of quoted strings (RFC 7234, section 5.5)."""

from __future__ import annotations

import pytest

from client.rest import warning_texts


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        ('299 - "plain"', ["plain"]),
        ('299 - ""', [""]),
        (r'299 - "unknown field \"spec.a\""', ['unknown field "spec.a"']),
        (r'299 - "a\\b"', [r"a\b"]),
        (r'299 - "a\\"', ["a\\"]),
        (r'299 - "a\\\"b"', [r"a\"b"]),
        (r'299 - "\a"', ["a"]),
        ('299 - "a, b"', ["a, b"]),
        ('299 - "a", 199 api "b"', ["a", "b"]),
        ('299 - "a" "Sat, 25 Aug 2012 23:34:45 GMT",299 - "b"', ["a", "b"]),
        ('299 - "caf\u00c3\u00a9"', ["caf\u00e9"]),
        ('299 - "\u2028"', ["\u2028"]),
        ("careful", ["careful"]),
        ('299 - "open', ['299 - "open']),
        ('299 - "a" rest', ['299 - "a" rest']),
    ],
)
def test_the_texts_of_a_header(header: str, texts: list[str]) -> None:
    assert warning_texts(header) == texts
