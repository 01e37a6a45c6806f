"""Findings: what is wrong with an object's fields, and the checks that many kinds share.

The wording is that of the Kubernetes API, so that users recognise it.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping
from typing import Any

from master.schema import quantity
from master.schema.cause import Cause
from master.schema.names import config_map_key, env_var_name, label_value, port_name, qualified_name

MAX_ANNOTATIONS_BYTES = 256 << 10
# Longest part of a value or field in a message, in characters.
_MAX_SHOWN = 256
# Nobody reads more causes than this.
_MAX_CAUSES = 50
# Fields without effect that one response warns about.
_MAX_WARNINGS = 10


def _bytes(texts: Mapping[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in texts.items())


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return _shortened(text)


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


class Findings:
    """Collects problems of an object, at most 50. False while there are none."""

    def __init__(self) -> None:
        self.causes: list[Cause] = []
        self.warnings: list[str] = []
        # By effect: the first field that would have it.
        self._inert: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self.causes)

    def _add(self, reason: str, message: str, field: str) -> None:
        if len(self.causes) < _MAX_CAUSES:
            self.causes.append(Cause(reason, message, _shortened(field)))

    def invalid(self, field: str, value: Any, why: str) -> None:
        """The value is not allowed. `why` is the rule that it breaks."""
        self._add("FieldValueInvalid", f"Invalid value: {_shown(value)}: {why}", field)

    def required(self, field: str, why: str = "") -> None:
        """The field must not be empty."""
        self._add("FieldValueRequired", f"Required value{': ' + why if why else ''}", field)

    def forbidden(self, field: str, why: str) -> None:
        """The field must not be set, or not be changed."""
        self._add("FieldValueForbidden", f"Forbidden: {why}", field)

    def duplicate(self, field: str, value: Any) -> None:
        """The value occurs twice."""
        self._add("FieldValueDuplicate", f"Duplicate value: {_shown(value)}", field)

    def unsupported(self, field: str, value: Any, allowed: Iterable[str]) -> None:
        """The value is not one of the allowed ones."""
        names = ", ".join(f'"{item}"' for item in allowed if item)
        self._add("FieldValueNotSupported", f"Unsupported value: {_shown(value)}: supported values: {names}", field)

    def missing(self, field: str, value: Any) -> None:
        """The value refers to something that does not exist."""
        self._add("FieldValueNotFound", f"Not found: {_shown(value)}", field)

    def too_long(self, field: str, limit: int) -> None:
        """The value is larger than `limit` bytes."""
        self._add("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", field)

    def at_most(self, field: str, count: int, most: int) -> None:
        """The list may not have more than `most` items."""
        if count > most:
            self._add("FieldValueTooMany", f"Too many: {count}: must have at most {most} items", field)

    def inert(self, field: str, effect: str) -> None:
        """The field is stored, but has no effect yet. `effect` is what it would do. This is only a warning.

        Of several fields with the same effect, such as the probes of all containers, only the first is reported.
        Nothing in a status is an instruction, so its fields are not reported.
        """
        if effect in self._inert or field.startswith("status."):
            return
        self._inert[effect] = field
        if len(self._inert) <= _MAX_WARNINGS:
            self.warnings.append(f"{_shortened(field)}: has no effect yet: {effect}")
        elif len(self._inert) == _MAX_WARNINGS + 1:
            self.warnings.append("further fields have no effect yet; docs/fields.md lists them")

    def repeat(self, others: Findings) -> None:
        """Adds the findings of another collection, in the same order."""
        self.causes.extend(others.causes[: _MAX_CAUSES - len(self.causes)])
        for effect, field in others._inert.items():
            self.inert(field, effect)

    # -- checks that many kinds share -----------------------------------------------------------------------------

    def form(self, field: str, value: str, wrong: str) -> None:
        """Adds the result of a syntax check such as `dns_label`, unless it is empty."""
        if wrong:
            self.invalid(field, value, wrong)

    def one_of(self, field: str, value: str, allowed: Iterable[str]) -> None:
        if value not in allowed:
            self.unsupported(field, value, allowed)

    def port(self, field: str, value: int) -> None:
        if not 1 <= value <= 65535:
            self.invalid(field, value, "must be between 1 and 65535, inclusive")

    def port_or_name(self, field: str, value: int | str) -> None:
        if isinstance(value, int):
            self.port(field, value)
        else:
            self.form(field, value, port_name(value))

    def between(self, field: str, value: float, least: float, most: float) -> None:
        """The number must be in the range, both ends included."""
        if value < least:
            self.invalid(field, value, f"must be greater than or equal to {least}")
        elif value > most:
            self.invalid(field, value, f"must be less than or equal to {most}")

    def labels(self, field: str, labels: Mapping[str, str]) -> None:
        for key, value in labels.items():
            if wrong := qualified_name(key):
                self.invalid(field, key, wrong)
            if wrong := label_value(value):
                self.invalid(field, value, wrong)

    def annotations(self, field: str, annotations: Mapping[str, str]) -> None:
        characters = 0
        for key, value in annotations.items():
            if wrong := qualified_name(key.lower()):
                self.invalid(field, key, wrong)
            characters += len(key) + len(value)
        # A character has at most four bytes.
        if 4 * characters > MAX_ANNOTATIONS_BYTES and _bytes(annotations) > MAX_ANNOTATIONS_BYTES:
            self.too_long(field, MAX_ANNOTATIONS_BYTES)

    def env_name(self, field: str, name: str) -> None:
        if not name:
            self.required(field)
        else:
            self.form(field, name, env_var_name(name))

    def config_key(self, field: str, key: str) -> None:
        self.form(field, key, config_map_key(key))

    def quantity(self, field: str, text: str) -> None:
        try:
            value = quantity.parse(text)
            if value < 0:
                self.invalid(field, text, "must be greater than or equal to 0")
            elif value > quantity.MAX:
                self.invalid(field, text, f"must be less than or equal to {quantity.MAX}")
        except ValueError as error:
            self.invalid(field, text, str(error))

    def positive(self, field: str, text: str) -> None:
        """The quantity must be more than zero. Text that is not a quantity is reported by its type."""
        try:
            is_positive = quantity.parse(text) > 0
        except ValueError:
            return
        if not is_positive:
            self.invalid(field, text, "must be greater than zero")

    def ip(self, field: str, text: str) -> None:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            self.invalid(field, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")

    def unique(self, field: str, values: Iterable[tuple[str, str]]) -> None:
        """Pairs of (subfield, value): no value may occur twice, except the empty one."""
        seen: set[str] = set()
        for subfield, value in values:
            if value and value in seen:
                self.duplicate(f"{field}{subfield}", value)
            seen.add(value)
