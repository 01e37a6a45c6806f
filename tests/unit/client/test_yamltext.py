"""YAML means what it means to kubectl, and errors have their place."""

from __future__ import annotations

import pytest

from client import yamltext
from client.yamltext import BadYaml, document, documents
from tests.kubectl_yaml import FACTS, HEAD, Fact, same


@pytest.mark.parametrize("fact", FACTS, ids=str)
def test_a_text_means_what_it_means_to_kubectl(fact: Fact) -> None:
    try:
        read = document(f"{HEAD}{fact.text}\n").value
    except BadYaml:
        assert fact.refused
        return
    assert not fact.refused, read
    assert same({key: read[key] for key in read if key not in ("apiVersion", "kind", "metadata")}, fact.value)


def test_documents_are_separated_and_empty_ones_are_none() -> None:
    text = "# comment\n---\na: 1\n---\n---\nb: 2\n...\n---\n"
    assert [each.value for each in documents(text)] == [{"a": 1}, None, {"b": 2}, None]
    assert list(documents("")) == list(documents("# comment\n")) == []


def test_a_single_document_may_be_followed_by_empty_ones() -> None:
    assert document("a: 1\n---\n").value == {"a": 1}
    assert document("").value is None
    with pytest.raises(BadYaml, match="single document"):
        document("a: 1\n---\nb: 1\n")


def test_anchors_end_with_their_document() -> None:
    with pytest.raises(BadYaml, match="anchor x") as raised:
        list(documents("a: &x 1\n---\nb: *x\n"))
    assert (raised.value.line, raised.value.column) == (3, 4)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_encodings_of_yaml(encoding: str) -> None:
    assert document("a: é\n".encode(encoding)).value == {"a": "é"}


def test_a_byte_order_mark_in_text() -> None:
    assert document("\ufeffa: 1\n").value == {"a": 1}


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("a: [1\nb: 2", 2, 2, "did not find expected ',' or ']'"),
        ("a: 1\n\tb: 2", 2, 1, "tab"),
        ("a:\n  b: !!int x", 2, 6, "!!int"),
        ("a: !!binary aGk==", 1, 4, "not base64"),
        ("a: 1\n? [b]\n: c", 2, 3, "a key must be text"),
        ("a: 1\n~: b", 2, 1, "a key must be text"),
        ("a:\n- .nan", 2, 3, "not finite"),
        ("a: 1\n<<: b", 2, 5, "mapping"),
        ("a: 1\nb: &x [*x]", 2, 8, "contains itself"),
        ("a: 1\nb: \x00", 2, 4, "control characters"),
        (b"a: 1\nb: \xff", 2, 4, "UTF-8"),
        ("a: \ud800", 0, 0, "does not exist"),
    ],
)
def test_an_error_has_its_place(text: str | bytes, line: int, column: int, problem: str) -> None:
    with pytest.raises(BadYaml, match=problem) as raised:
        document(text)
    assert (raised.value.line, raised.value.column) == (line, column)
    assert str(raised.value).startswith(f"line {line}, column {column}: " if line else raised.value.problem)


@pytest.mark.parametrize(
    ("text", "duplicates"),
    [
        ("a: 1\nb: 2\n", []),
        ("a: 1\na: 2\n", ['line 2: key "a" already set in map']),
        ("a: 1\na:\n  b: 1\n", ['line 3: key "a" already set in map']),
        ("d:\n- {1: a, 0x1: b}\n- {yes: a, on: b}\n", ["line 2: key 1", "line 3: key true"]),
        ('"1": a\n1: b\n', ["line 2: key 1"]),
        ("<<: {a: 1}\na: 2\n", ['line 2: key "a" already set in map']),
        ("a: 2\n<<: {a: 1}\n", ['line 2: key "a" already set in map']),
    ],
)
def test_duplicate_keys_are_reported_as_the_api_does(text: str, duplicates: list[str]) -> None:
    reported = document(text).duplicates
    assert len(reported) == len(duplicates)
    assert all(sentence.startswith(start) for sentence, start in zip(reported, duplicates, strict=True))


def test_values_of_aliases_are_independent() -> None:
    value = document("a: &x {b: [1]}\nc: *x\nd: {<<: *x}\n").value
    value["a"]["b"].append(2)
    value["c"]["b"].append(3)
    assert value == {"a": {"b": [1, 2]}, "c": {"b": [1, 3]}, "d": {"b": [1]}}


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [x, x]\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i}, *a{i}]\n" for i in range(40)),
        "a0: &a0 {x: 1}\n" + "".join(f"a{i + 1}: &a{i + 1} {{b: *a{i}, c: *a{i}}}\n" for i in range(40)),
        f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 100)}]\n",
        f"a: &a {{{'x' * 1000}: 1}}\nb: [{', '.join(['*a'] * 10_000)}]\n",
        "a: &a {k: 1}\n" + "b: {" + ", ".join(["<<: *a"] * 100_000) + "}\n",
    ],
    ids=["sequences", "mappings", "text", "keys", "merges"],
)
def test_aliases_that_expand_to_too_much_are_refused(text: str) -> None:
    with pytest.raises(BadYaml, match="the aliases of the document expand to more than 1 MiB"):
        document(text)


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- "])
def test_nesting_is_limited(bracket: str) -> None:
    for depth in (yamltext.MAX_DEPTH + 1, 100_000):
        with pytest.raises(BadYaml, match="nested too deeply"):
            document(bracket * depth)


def test_aliases_do_not_exceed_the_limit_of_nesting() -> None:
    half = yamltext.MAX_DEPTH // 2
    deep = "[" * half + "]" * half
    assert document(f"[&a {deep}, {'[' * (half - 2)}*a{']' * (half - 2)}]")
    with pytest.raises(BadYaml, match="nested too deeply"):
        document(f"[&a {deep}, {'[' * half}*a{']' * half}]")


@pytest.mark.parametrize("digits", ["9" * 100_000, "1" + ":1" * 200_000, "0" * 100_000 + "7", "0b" + "1" * 100_000])
def test_long_numbers_are_read_in_linear_time(digits: str) -> None:
    # With more digits than Python converts, and with parts of base 60, which YAML 1.1 has and kubectl has not.
    value = document(f"a: {digits}").value["a"]
    assert value == (7 if digits.endswith("07") else digits)
