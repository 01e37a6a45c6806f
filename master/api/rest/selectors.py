"""Label and field selectors: parsed once per request, evaluated for each object."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from master.api.errors import BadRequest
from master.cache import Cache, Entry
from master.objects.index import LABEL, Index
from master.objects.index import label_value as label_pair
from master.registry.resource import Resource
from master.schema.names import label_value, qualified_name

_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|[=!<>,()]|[^ \t\r\n=!<>,()]+|$)")
_SYMBOLS = frozenset(("==", "!=", *"=!<>,()"))
_OPERATORS = {"=": "in", "==": "in", "!=": "notin", "in": "in", "notin": "notin", ">": "gt", "<": "lt"}
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_MAX_DIGITS = 20
_FIELD_TERM = re.compile(r"(?:[^,\\]|\\.|\\$)+", re.DOTALL)
_FIELD_OPERATOR = re.compile("!=|==?")
_ESCAPE = re.compile(r"\\([\\,=])")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label. Operators: in, notin, exists, absent, gt, lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "in":
            return value is not None and value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "absent":
            return value is None
        return _compares(value, next(iter(self.values)), greater=self.operator == "gt")


def _compares(value: str | None, bound: str, *, greater: bool) -> bool:
    number, limit = _integer(value or ""), _integer(bound)
    return number is not None and limit is not None and (number > limit if greater else number < limit)


def _integer(text: str) -> int | None:
    """The number if it has at most 64 bits."""
    number = int(text) if len(text) <= _MAX_DIGITS and _INTEGER.fullmatch(text) else 1 << 63
    return number if -(1 << 63) <= number < 1 << 63 else None


class _Parser:
    """Parses label selectors such as `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`.

    The grammar and the messages are those of k8s.io/apimachinery/pkg/labels. `in` and `notin` are operators only where
    one is expected. In parentheses, a value that is left out is the empty one: `a in ()`, `a in (b,)`.
    """

    def __init__(self, text: str) -> None:
        self._tokens = [match[1] for match in _TOKEN.finditer(text)]
        self._at = 0

    @property
    def _token(self) -> str:
        """The next token. The last one is empty: the end of the text."""
        return self._tokens[self._at]

    def _next(self) -> str:
        token = self._token
        self._at += bool(token)
        return token

    def parse(self) -> tuple[Requirement, ...]:
        requirements: list[Requirement] = []
        if not self._token:
            return ()
        if self._token != "!" and self._token in _SYMBOLS:
            raise BadRequest(f"found '{self._token}', expected: !, identifier, or 'end of string'")
        while True:
            requirements.append(self._requirement())
            token = self._next()
            if not token:
                return tuple(requirements)
            if token != ",":
                raise BadRequest(f"found '{token}', expected: ',' or 'end of string'")
            if not self._token or (self._token != "!" and self._token in _SYMBOLS):
                raise BadRequest(f"found '{self._token}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        absent = self._token == "!"
        if absent:
            self._next()
        key = self._identifier()
        if wrong := qualified_name(key):
            raise _error(f"Invalid value: {_quoted(key)}: {wrong}")
        if absent:
            return Requirement(key, "absent")
        if self._token in ("", ","):
            return Requirement(key, "exists")
        token = self._next()
        operator = _OPERATORS.get(token)
        if operator is None:
            raise _error(f"found '{token}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._values() if token in ("in", "notin") else frozenset({self._value()})
        for index, value in enumerate(sorted(values)):
            if operator in ("gt", "lt") and _integer(value) is None:
                why = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise _error(f"values[{index}]: Invalid value: {_quoted(value)}: {why}")
            if wrong := label_value(value):
                raise _error(f"values[{index}][{key}]: Invalid value: {_quoted(value)}: {wrong}")
        return Requirement(key, operator, values)

    def _identifier(self) -> str:
        token = self._next()
        if not token or token in _SYMBOLS:
            raise _error(f"found '{token}', expected: identifier")
        return token

    def _value(self) -> str:
        """The value after an operator like `=`. It is empty if a comma or the end follows."""
        return "" if self._token in ("", ",") else self._identifier()

    def _values(self) -> frozenset[str]:
        if (token := self._next()) != "(":
            raise _error(f"found '{token}' expected: '('")
        values: set[str] = set()
        while True:
            token = self._next()
            if token in (",", ")"):
                values.add("")
            elif not token or token in _SYMBOLS:
                raise _error(f"found '{token}', expected: ',', ')' or identifier")
            else:
                values.add(token)
                token = self._next()
                if token not in (",", ")"):
                    raise _error(f"found '{token}', expected: ',' or ')'")
            if token == ")":
                return frozenset(values)


def _error(why: str) -> BadRequest:
    return BadRequest(f"unable to parse requirement: {why}")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """The conditions of a label selector. Raises BadRequest for a syntax error."""
    return _Parser(text).parse()


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One condition on a field: equal to `value` or not."""

    name: str
    read: Callable[[Entry], str]
    value: str
    equal: bool


def parse_fields(kind: Resource[Any], text: str, stored: Mapping[str, str] | None = None) -> tuple[FieldTerm, ...]:
    """The conditions of a field selector. Raises BadRequest for a syntax error or an unsupported field.

    `stored`: the stored version's names of fields, if the client uses those of another version.

    The grammar is that of k8s.io/apimachinery/pkg/fields: spaces belong to names and values, and a backslash precedes
    a comma, an equals sign or a backslash in a value. Empty conditions do not count.
    """
    terms: list[FieldTerm] = []
    for part in _FIELD_TERM.findall(text):
        match = _FIELD_OPERATOR.search(part)
        if match is None:
            raise BadRequest(f"invalid selector: '{text}'; can't understand '{part}'")
        value = _unescaped(part[match.end() :])
        name = part[: match.start()]
        if stored is not None:
            name = stored.get(name, name)
        terms.append(FieldTerm(name, _reader(kind, name), value, match[0] != "!="))
    return tuple(terms)


def _unescaped(value: str) -> str:
    rest = _ESCAPE.sub("", value)
    if "\\" in rest:
        raise BadRequest(f"invalid field selector: invalid escape sequence: {rest[rest.index(chr(92)) :][:2]}")
    if "=" in rest:
        raise BadRequest("invalid field selector: unescaped character in value: =")
    return _ESCAPE.sub(r"\1", value)


def _reader(kind: Resource[Any], name: str) -> Callable[[Entry], str]:
    if name == "metadata.name":
        return lambda entry: entry.name
    if name == "metadata.namespace" and kind.namespaced:
        return lambda entry: entry.namespace
    read = kind.fields.get(name)
    if read is None:
        known = ", ".join(["metadata.name", *(["metadata.namespace"] if kind.namespaced else []), *kind.fields])
        raise BadRequest(f"field label not supported: {name}; {kind.plural} have {known}")
    return lambda entry: read(entry.obj)


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of a list or watch: a namespace ("" for all) and both selectors.

    `name` is the text of both selectors, which identifies the selection among those of the same collection.
    """

    namespace: str = ""
    labels: tuple[Requirement, ...] = ()
    fields: tuple[FieldTerm, ...] = ()
    name: tuple[str, str] | None = None

    @property
    def everything(self) -> bool:
        return not (self.labels or self.fields)

    def matches(self, entry: Entry) -> bool:
        if self.namespace and entry.namespace != self.namespace:
            return False
        if self.fields and any((term.read(entry) == term.value) != term.equal for term in self.fields):
            return False
        if not self.labels:
            return True
        labels = entry.meta.labels
        return all(requirement.matches(labels) for requirement in self.labels)


def candidates(cache: Cache, kind: Resource[Any], selection: Selection) -> tuple[list[Entry], bool]:
    """The objects that an index or the namespace leaves, and whether all of them match.

    The index with the fewest objects is used, of those that answer a condition.
    """
    namespace = selection.namespace
    single = len(selection.fields) + len(selection.labels) == 1
    for term in selection.fields:
        if term.equal and term.name == "metadata.name" and (namespace or not kind.namespaced):
            entry = cache.entry(kind, namespace, term.value)
            return [] if entry is None else [entry], single
        if term.equal and term.name == "metadata.namespace" and not namespace:
            return cache.entries(kind, term.value) if term.value else [], single
    sources: list[tuple[int, Index, str, bool]] = [
        (cache.count_by(kind, index, value), index, value, exact) for index, value, exact in _indexed(kind, selection)
    ]
    if not sources:
        return cache.entries(kind, namespace), selection.everything
    _, index, value, exact = min(sources, key=lambda source: source[0])
    return cache.by(kind, index, value, namespace), single and exact


def _indexed(kind: Resource[Any], selection: Selection) -> Iterator[tuple[Index, str, bool]]:
    """The conditions that an index can answer, and whether its objects match the condition without a further look."""
    by_name = {index.name: index for index in kind.indexes}
    for term in selection.fields:
        if term.equal and term.value and term.name in by_name:
            yield by_name[term.name], term.value, True
    if LABEL not in kind.indexes:
        return
    for requirement in selection.labels:
        if requirement.operator == "in" and len(requirement.values) == 1:
            yield LABEL, label_pair(requirement.key, next(iter(requirement.values))), True
