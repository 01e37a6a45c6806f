"""Label and field selectors: grammar, matches and messages of k8s.io/apimachinery."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from master.api.errors import BadRequest
from master.api.rest.selectors import parse_fields, parse_labels
from master.cache import Entry

PODS: Any = SimpleNamespace(namespaced=True, plural="pods", fields={"spec.nodeName": lambda obj: obj})


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ("", {}, True),
        (" \t\r\n", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),
        ("a!=b", {"a": "b"}, False),
        (" a = b , c ", {"a": "b", "c": ""}, True),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("! a", {}, True),
        ("a=", {"a": ""}, True),
        ("a=", {}, False),
        ("a!=", {"a": ""}, False),
        ("a=,b", {"a": "", "b": ""}, True),
        ("a in (x, y),b notin (z)", {"a": "y"}, True),
        ("a in(x)", {"a": "x"}, True),
        ("a\tin\n(x)", {"a": "x"}, True),
        ("a in (x,y)", {}, False),
        ("b notin (z)", {"b": "z"}, False),
        # A value that is left out is the empty one.
        ("a in ()", {"a": ""}, True),
        ("a in ()", {"a": "x"}, False),
        ("a in (,)", {"a": ""}, True),
        ("a in (x,)", {"a": ""}, True),
        ("a in (x,,y)", {"a": ""}, True),
        ("a in (x,y)", {"a": ""}, False),
        ("a notin ()", {"a": ""}, False),
        ("a notin ()", {"a": "x"}, True),
        ("n>3", {"n": "4"}, True),
        ("n > 3", {"n": "3"}, False),
        ("n<3", {"n": "2"}, True),
        ("n<3", {"n": "x"}, False),
        ("n<3", {"n": "1_0"}, False),
        ("n>3", {"n": "99999999999999999999"}, False),
        ("n>3", {}, False),
        ("a=b,a=c", {"a": "b"}, False),
        ("a=b,a=b", {"a": "b"}, True),
        ("in in (in,notin),notin=in", {"in": "notin", "notin": "in"}, True),
        ("in", {"in": ""}, True),
        ("example.com/a=b", {"example.com/a": "b"}, True),
    ],
)
def test_label_selectors(selector: str, labels: dict[str, str], matches: bool) -> None:
    assert all(requirement.matches(labels) for requirement in parse_labels(selector)) is matches


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("a=b,", "found '', expected: identifier after ','"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("a=b,,", "found ',', expected: identifier after ','"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("=b", "found '=', expected: !, identifier, or 'end of string'"),
        ("!=b", "found '!=', expected: !, identifier, or 'end of string'"),
        ("(a)", "found '(', expected: !, identifier, or 'end of string'"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        ("!a in (b)", "found 'in', expected: ',' or 'end of string'"),
        ("a in (b)c", "found 'c', expected: ',' or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("!!a", "unable to parse requirement: found '!', expected: identifier"),
        ("a=!b", "unable to parse requirement: found '!', expected: identifier"),
        ("a===b", "unable to parse requirement: found '=', expected: identifier"),
        ("a>=1", "unable to parse requirement: found '=', expected: identifier"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a!b", "unable to parse requirement: found '!', expected: in, notin, =, ==, !=, gt, lt"),
        ("a)", "unable to parse requirement: found ')', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in", "unable to parse requirement: found '' expected: '('"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        ("a in ((b))", "unable to parse requirement: found '(', expected: ',', ')' or identifier"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
        ("a>x", "values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"),
        ("a>", "values[0]: Invalid value: \"\": for 'Gt', 'Lt' operators, the value must be an integer"),
        ("a>9223372036854775808", "for 'Gt', 'Lt' operators, the value must be an integer"),
        ("a>-1", 'unable to parse requirement: values[0][a]: Invalid value: "-1": a valid label must be'),
        ("a in (b,&)", 'unable to parse requirement: values[0][a]: Invalid value: "&": a valid label must be'),
        ("&=a", 'unable to parse requirement: Invalid value: "&": name part must consist of'),
        ("a\u00a0=b", "name part must consist of"),
        ("A.B/a=b", "prefix part a lowercase RFC 1123 subdomain must"),
    ],
)
def test_a_malformed_label_selector_is_refused_as_kubernetes_does(selector: str, message: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parse_labels(selector)
    assert message in str(raised.value)


def entry(name: str, node: str) -> Entry:
    return cast(Entry, SimpleNamespace(name=name, namespace="team", obj=node))


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("", {"a", "b", "x,y=z\\"}),
        (",", {"a", "b", "x,y=z\\"}),
        ("metadata.name=a", {"a"}),
        ("metadata.name==a,,", {"a"}),
        ("metadata.name!=a", {"b", "x,y=z\\"}),
        ("metadata.name=a,metadata.name=b", set()),
        ("metadata.name= a", set()),
        ("metadata.name=!a", set()),
        ("metadata.name=x\\,y\\=z\\\\", {"x,y=z\\"}),
        ("metadata.namespace=team,spec.nodeName=", {"b", "x,y=z\\"}),
        ("spec.nodeName!=", {"a"}),
    ],
)
def test_field_selectors(selector: str, selected: set[str]) -> None:
    entries = [entry("a", "node1"), entry("b", ""), entry("x,y=z\\", "")]
    terms = parse_fields(PODS, selector)
    assert {each.name for each in entries if all((t.read(each) == t.value) is t.equal for t in terms)} == selected


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (" ", "invalid selector: ' '; can't understand ' '"),
        ("metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        ("metadata.name=a,b", "invalid selector: 'metadata.name=a,b'; can't understand 'b'"),
        ("metadata.name in (a)", "can't understand"),
        ("metadata.name=a=b", "invalid field selector: unescaped character in value: ="),
        ("metadata.name===a", "invalid field selector: unescaped character in value: ="),
        ("metadata.name=a\\", "invalid field selector: invalid escape sequence: \\"),
        ("metadata.name=a\\x", "invalid field selector: invalid escape sequence: \\x"),
        (" metadata.name=a", "field label not supported:  metadata.name"),
        (
            "spec.image=a",
            "field label not supported: spec.image; pods have metadata.name, metadata.namespace, spec.node",
        ),
        ("=a", "field label not supported: ;"),
    ],
)
def test_a_malformed_field_selector_is_refused_as_kubernetes_does(selector: str, message: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parse_fields(PODS, selector)
    assert message in str(raised.value)


def test_long_selectors_are_read_in_linear_time() -> None:
    assert len(parse_labels("a," * 99_999 + "a")) == 100_000
    assert len(next(iter(parse_labels(f"a in ({'b,' * 99_999}c)"))).values) == 2
    with pytest.raises(BadRequest):
        parse_labels("a=" + " " * 200_000 + "&")
    assert len(parse_fields(PODS, "metadata.name=a," * 10_000)) == 10_000
