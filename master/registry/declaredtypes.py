"""Makes the trees of types of passive kinds: the types of the facts with the rules that files declare."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from master.registry.declaration import FieldDeclaration, TypeDeclaration
from master.schema.facts import Facts, facts
from master.schema.tree import Field, Items, Map, Node, Number, NumberOrText, Rules, Struct, Text

_STEP: Final = re.compile(r"(?P<name>[^.\[\]{}]+)|(?P<inner>\[\]|\{\})")

Path = tuple[str, ...]
FieldRules = Mapping[Path, FieldDeclaration]


def by_path(fields: Mapping[str, FieldDeclaration]) -> FieldRules:
    """The rules by the steps of their paths: `a.b[]` is ("a", "b", "[]")."""
    return {tuple(match[0] for match in _STEP.finditer(path)): field for path, field in fields.items()}


class DeclaredTypes:
    """The types of the facts with the rules of `types`, by name. Each type is made when it is first needed."""

    def __init__(self, facts: Facts, types: Mapping[str, TypeDeclaration]) -> None:
        self._facts = facts
        self._types = types
        self._made: dict[str, Struct] = {}

    def struct(self, name: str, fields: Mapping[str, FieldDeclaration]) -> Struct:
        """A type with further rules. Raises KeyError for its name, ValueError for the path of a field."""
        return self._ruled(self._shared(self._facts.struct(name)), by_path(fields), name.rpartition(".")[2])

    def _shared(self, fact: Struct) -> Struct:
        """The type with the rules that it has everywhere."""
        made = self._made.get(fact.name)
        if made is not None:
            return made
        declared = self._types.get(fact.name, TypeDeclaration())
        # Before its fields, because a type may contain itself.
        made = self._made[fact.name] = replace(
            fact, rules=Rules(form=declared.check), description=declared.description, fields={}
        )
        fields = {name: replace(field, node=self._node(field.node)) for name, field in fact.fields.items()}
        made.fields = self._ruled(replace(made, fields=fields), by_path(declared.fields), fact.name).fields
        return made

    def _node(self, node: Node) -> Node:
        if isinstance(node, Struct):
            return self._shared(node)
        if isinstance(node, Items | Map):
            return replace(node, item=self._node(node.item))
        return node

    def _ruled(self, struct: Struct, rules: FieldRules, at: str) -> Struct:
        """A copy of a type with rules. The original is shared by other kinds. `at` is its path, for errors."""
        if unknown := {path[0] for path in rules} - struct.fields.keys():
            raise ValueError(f"{at} has no field {', '.join(sorted(unknown))}")
        fields = dict(struct.fields)
        for name in {path[0] for path in rules}:
            own, inner = _divided(rules, name)
            fields[name] = _field(fields[name], own, self._ruled_node(fields[name].node, inner, f"{at}.{name}"))
        return replace(struct, fields=fields) if rules else struct

    def _ruled_node(self, node: Node, rules: FieldRules, at: str) -> Node:
        if not rules:
            return node
        step = {Items: "[]", Map: "{}"}.get(type(node), "")
        if isinstance(node, Items | Map) and all(path[0] == step for path in rules):
            own, inner = _divided(rules, step)
            return replace(node, item=self._ruled_node(_with_rules(node.item, own), inner, f"{at}{step}"))
        if isinstance(node, Struct):
            return self._ruled(node, rules, at)
        raise ValueError(f"{at} has no fields")


def _divided(rules: FieldRules, step: str) -> tuple[FieldDeclaration, FieldRules]:
    """The rules of one field, and those of the fields below it."""
    inner = {path[1:]: rule for path, rule in rules.items() if path[0] == step}
    return inner.pop((), FieldDeclaration()), inner


def _field(field: Field, declared: FieldDeclaration, node: Node) -> Field:
    is_list = isinstance(node, Items | Map)
    return replace(
        field,
        node=_with_rules(node, declared),
        required=field.required if declared.required is None else declared.required,
        filled=field.filled or (is_list and bool(declared.required)),
        default=field.default if declared.default is None else declared.default,
        immutable=field.immutable or declared.immutable,
        description=declared.description or field.description,
    )


def _with_rules(node: Node, declared: FieldDeclaration) -> Node:
    rules = rules_of(declared, node.rules)
    if rules == node.rules:
        return node
    if isinstance(node, NumberOrText):
        return replace(
            node, rules=rules, number=replace(node.number, rules=rules), text=replace(node.text, rules=rules)
        )
    if isinstance(node, Text | Number | Items | Map):
        return replace(node, rules=rules)
    raise ValueError(f"{node} cannot have rules")


def rules_of(declared: FieldDeclaration, rules: Rules) -> Rules:
    """The rules of a declaration, added to those that the value has already."""
    choice = declared.choice or (facts().choices(declared.enum) if declared.enum else ())
    within = rules.within
    if declared.minimum is not None or declared.maximum is not None:
        least = declared.minimum if declared.minimum is not None else float("-inf")
        within = least, declared.maximum if declared.maximum is not None else float("inf")
    return replace(
        rules,
        choice=choice or rules.choice,
        within=within,
        form=declared.form or rules.form,
        least_size=rules.least_size if declared.least is None else declared.least,
        most_size=rules.most_size if declared.most is None else declared.most,
        unique=declared.unique or rules.unique,
    )
