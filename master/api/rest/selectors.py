"""Label and field selectors: parsed once per request, evaluated for each object."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from master.api.errors import BadRequest
from master.cache import Entry
from master.registry.resource import Resource
from master.schema.checks import label_value, qualified_name

_TOKEN = re.compile(r"\s*(==|!=|=|,|\(|\)|!|<|>|[^\s=!,()<>]+)")


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
    try:
        return value is not None and (int(value) > int(bound) if greater else int(value) < int(bound))
    except ValueError:
        return False


class _Parser:
    """Parses label selectors such as `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._error(f"found {text[at:]!r}")
            self._tokens.append(match[1])
            at = match.end()

    def _error(self, why: str) -> BadRequest:
        return BadRequest(f"unable to parse label selector {self._text!r}: {why}")

    def _next(self) -> str:
        return self._tokens.pop(0) if self._tokens else ""

    def parse(self) -> tuple[Requirement, ...]:
        requirements: list[Requirement] = []
        while self._tokens:
            requirements.append(self._requirement())
            if self._tokens and self._next() != ",":
                raise self._error("expected ','")
        return tuple(requirements)

    def _requirement(self) -> Requirement:
        token = self._next()
        if token == "!":
            return Requirement(self._key(self._next()), "absent")
        key = self._key(token)
        if not self._tokens or self._tokens[0] == ",":
            return Requirement(key, "exists")
        operator = self._next()
        if operator in ("=", "=="):
            return Requirement(key, "in", frozenset({self._value()}))
        if operator == "!=":
            return Requirement(key, "notin", frozenset({self._value()}))
        if operator in ("in", "notin"):
            return Requirement(key, operator, self._values())
        if operator in ("<", ">"):
            value = self._value()
            if not value.lstrip("-").isdigit():
                raise self._error(f"{value!r} is not an integer")
            return Requirement(key, "gt" if operator == ">" else "lt", frozenset({value}))
        raise self._error(f"found {operator!r}, expected: in, notin, =, ==, !=, >, <")

    def _key(self, token: str) -> str:
        if wrong := qualified_name(token):
            raise self._error(f"{token!r}: {wrong}")
        return token

    def _value(self) -> str:
        """The next value. It is empty if a comma or the end follows."""
        if not self._tokens or self._tokens[0] == ",":
            return ""
        token = self._next()
        if wrong := label_value(token):
            raise self._error(f"{token!r}: {wrong}")
        return token

    def _values(self) -> frozenset[str]:
        if self._next() != "(":
            raise self._error("expected '('")
        values: set[str] = set()
        while True:
            if self._tokens and self._tokens[0] in (",", ")"):
                values.add("")
            else:
                values.add(self._value())
            token = self._next()
            if token == ")":
                return frozenset(values)
            if token != ",":
                raise self._error("expected ',' or ')'")


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """The conditions of a label selector. Raises BadRequest for a syntax error."""
    return _Parser(text).parse()


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One condition on a field: equal to `value` or not."""

    read: Callable[[Entry], str]
    value: str
    equal: bool


def parse_fields(kind: Resource[Any], text: str) -> tuple[FieldTerm, ...]:
    """The conditions of a field selector. Raises BadRequest for a syntax error or an unsupported field."""
    terms: list[FieldTerm] = []
    for part in re.split(r"(?<!\\),", text):
        if not part.strip():
            continue
        operator = next((operator for operator in ("!=", "==", "=") if operator in part), "")
        name, _, value = part.partition(operator) if operator else ("", "", "")
        if not name.strip():
            raise BadRequest(f"invalid field selector: {part!r}; can't understand")
        read = _reader(kind, name.strip())
        terms.append(FieldTerm(read, re.sub(r"\\([\\,=])", r"\1", value.strip()), operator != "!="))
    return tuple(terms)


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
    """The objects of a list or watch: a namespace ("" for all) and both selectors."""

    namespace: str = ""
    labels: tuple[Requirement, ...] = ()
    fields: tuple[FieldTerm, ...] = ()

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
        labels = entry.obj.metadata.labels
        return all(requirement.matches(labels) for requirement in self.labels)
