"""Checks the fields of an object against their declared rules: ranges, choices, forms, quantities, required fields.

Also warns about fields that have no effect yet.
Rules about several fields are in the strategies. Wrong types are refused while a body is read (pruning.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from master.schema import forms, shapes
from master.schema.access import JSON, Access
from master.schema.checks import Findings
from master.schema.perstruct import PerStruct
from master.schema.tree import Field, Items, Map, Node, Number, NumberOrText, Rules, Struct, Text

# Arguments: the value, its path, and where to report.
Check = Callable[[Any, str, Findings], None]
Shape = Check


# The classes of values that mean "not set" if they are false. Empty text is seen by some checks.
_UNSET = frozenset({type(None), tuple, dict, list})
_NUMBERS = frozenset({int, float, bool})


def _late(find: Callable[[], Check | None]) -> Check:
    def call(value: Any, at: str, findings: Findings) -> None:
        made = find()
        if made is not None:
            made(value, at, findings)

    return call


class Checks:
    """The functions that check values of types, in one representation. Made once for each type."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._structs: PerStruct[Check] = PerStruct(self._of_struct, _late)

    def of(self, node: Node) -> Check | None:
        """The function for values of a type. None if nothing below the type has a rule."""
        if isinstance(node, Items):
            return self._of_items(node, self.of(node.item))
        if isinstance(node, Map):
            return self._of_map(node, self.of(node.item))
        if isinstance(node, NumberOrText):
            return _of_either(_of_number(node.number.rules), _of_text(node.text))
        if isinstance(node, Text):
            return _of_text(node)
        if isinstance(node, Number):
            return _of_number(node.rules)
        return self._structs.of(node) if isinstance(node, Struct) else None

    def _of_struct(self, struct: Struct) -> Check | None:
        plan = [
            (self._access.key(field), field.name, check, self._must_see_empty(field))
            for field in struct.fields.values()
            if (check := self._of_field(field)) is not None
        ]
        one_of = [(self._access.key(struct.fields[name]), name) for name in struct.one_of]
        inert = [(self._access.key(field), field) for field in struct.fields.values() if field.inert]
        # null fills such a field, so only its absence is wrong.
        filled = [field.name for field in struct.fields.values() if field.required and field.node.rules.nullable]
        shape: Shape | None = getattr(shapes, struct.rules.form) if struct.rules.form else None
        if not plan and not one_of and not inert and not filled and shape is None:
            return None
        get = self._access.get

        def check_struct(obj: Any, at: str, findings: Findings) -> None:
            prefix = f"{at}." if at else ""
            for key, name, check, sees_empty in plan:
                value = get(obj, key)
                # Most fields are not set, so the functions are called for the others only.
                if value or sees_empty or value.__class__ not in _UNSET:
                    check(value, prefix + name, findings)
            for name in filled:
                if name not in obj:
                    findings.required(prefix + name)
            for key, field in inert:
                value = get(obj, key)
                if value or value.__class__ in _NUMBERS:
                    _warn(field, value, prefix + field.name, findings)
            if one_of and len([name for key, name in one_of if get(obj, key) is not None]) != 1:
                names = ", ".join(f"`{name}`" for _, name in one_of)
                findings.invalid(at, "", f"must specify exactly one of: {names}")
            if shape is not None:
                shape(obj, at, findings)

        return check_struct

    def _must_see_empty(self, field: Field) -> bool:
        """Whether an empty value may break a rule. In JSON, an empty object may lack required fields."""
        is_object = self._access is JSON and isinstance(field.node, Struct)
        return field.required or field.empty_is_value or is_object or _size(field.node.rules, "") is not None

    def _of_field(self, field: Field) -> Check | None:
        """The check of a field. Its value may be None or, in a typed model, empty: then only `required` applies."""
        inner = self.of(field.node)
        required = field.required and not field.node.rules.nullable
        if isinstance(field.node, Items | Map) and self._access is JSON and not field.empty_is_value:
            required = field.filled
        if inner is None and not required:
            return None
        # A typed model has no None for text that was left out, so its choices must see the empty text too. An empty
        # quantity that was sent is not valid.
        text = field.node if isinstance(field.node, Text) else None
        sees_empty = field.empty_is_value or (text is not None and self._sees_empty(field, text))

        def check_field(value: Any, at: str, findings: Findings) -> None:
            if value is None or (value == "" and not sees_empty) or (not value and field.filled):
                if required:
                    findings.required(at)
                return
            if inner is not None:
                inner(value, at, findings)

        return check_field

    def _sees_empty(self, field: Field, text: Text) -> bool:
        """Whether empty text of a built-in kind may break a rule other than `required`."""
        if text.format == "quantity" and self._access is JSON:
            return True
        if self._access is JSON:
            return bool(text.rules.choice) and field.zero_value == "" and not field.required
        return bool(text.rules.choice) if field.zero_is_missing else text.format == "quantity"

    def _of_items(self, node: Items, inner: Check | None) -> Check | None:
        size = _size(node.rules, "items")
        unique = node.rules.unique
        if inner is None and size is None and not unique:
            return None

        def check_items(values: Any, at: str, findings: Findings) -> None:
            if size is not None:
                size(values, at, findings)
            if unique:
                _check_unique(values, unique, at, findings)
            if inner is not None:
                for index, value in enumerate(values):
                    if value is not None:
                        inner(value, f"{at}[{index}]", findings)

        return check_items

    def _of_map(self, node: Map, inner: Check | None) -> Check | None:
        size = _size(node.rules, "items")
        wrong: Callable[[str], str] | None = forms.named(node.rules.form) if node.rules.form else None
        if inner is None and size is None and wrong is None:
            return None

        def check_map(values: dict[str, Any], at: str, findings: Findings) -> None:
            if size is not None:
                size(values, at, findings)
            if wrong is not None:
                for key in values:
                    findings.form(at, key, wrong(key))
            if inner is not None:
                for key, value in values.items():
                    if value is not None:
                        inner(value, f"{at}[{key}]", findings)

        return check_map


def _check_unique(values: Any, unique: str, at: str, findings: Findings) -> None:
    """Adds a finding for each item of a list that another one equals, as a whole or in one field."""
    seen: list[Any] = []
    for index, item in enumerate(values):
        whole = unique == "*"
        value = item if whole else item.get(unique)
        if value in seen and value is not None:
            findings.duplicate(f"{at}[{index}]" if whole else f"{at}[{index}].{unique}", value)
        seen.append(value)


def _warn(field: Field, value: Any, at: str, findings: Findings) -> None:
    """Warns about the value of a field without effect, unless it is one that needs no warning."""
    if not field.effective:
        if value:
            findings.inert(at, field.inert)
    elif isinstance(field.node, Map):
        for key in value:
            if key not in field.effective:
                findings.inert(f"{at}[{key}]", field.inert)
    elif value not in field.effective:
        findings.inert(at, field.inert)


def _of_text(text: Text) -> Check | None:
    rules = text.rules
    if text.format == "quantity" and not rules.form:
        return lambda value, at, findings: findings.quantity(at, value)
    if rules.choice:
        return lambda value, at, findings: findings.one_of(at, value, rules.choice)
    if rules.form:
        wrong = forms.named(rules.form)
        return lambda value, at, findings: findings.form(at, value, wrong(value)) if value else None
    parts = [part for part in (_pattern(rules.pattern), _size(rules, "bytes")) if part is not None]
    if not parts:
        return None

    def check_text(value: Any, at: str, findings: Findings) -> None:
        for part in parts:
            part(value, at, findings)

    return check_text


def _pattern(pattern: str) -> Check | None:
    if not pattern:
        return None
    compiled = re.compile(pattern)

    def check_pattern(value: Any, at: str, findings: Findings) -> None:
        if not compiled.search(value):
            findings.invalid(at, value, f"should match '{pattern}'")

    return check_pattern


def _of_number(rules: Rules) -> Check | None:
    choice, within = rules.choice, rules.within
    if not choice and within is None:
        return None

    def check_number(value: Any, at: str, findings: Findings) -> None:
        if choice and value not in choice:
            findings.unsupported(at, value, [str(item) for item in choice])
        if within is not None:
            findings.between(at, value, *within)

    return check_number


def _of_either(number: Check | None, text: Check | None) -> Check | None:
    if number is None and text is None:
        return None

    def check_either(value: Any, at: str, findings: Findings) -> None:
        check = text if isinstance(value, str) else number
        if check is not None:
            check(value, at, findings)

    return check_either


def _size(rules: Rules, unit: str) -> Check | None:
    least, most = rules.least_size, rules.most_size
    if least is None and most is None:
        return None

    def check_size(value: Any, at: str, findings: Findings) -> None:
        if most is not None:
            if unit == "items":
                findings.at_most(at, len(value), most)
            elif len(value) > most:
                findings.too_long(at, most)
        if least is not None and len(value) < least:
            findings.invalid(at, len(value), f"should have at least {least} {unit}")

    return check_size
