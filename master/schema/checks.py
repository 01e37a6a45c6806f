"""Validation: the findings about an object's fields, and the syntax of names, labels, ports and other values.

The wording is that of the Kubernetes API, so that users recognise it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from master.schema import quantity
from master.schema.cause import Cause

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SERVICE_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_ENV = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_PORT_NAME = re.compile(r"[a-z0-9]([a-z0-9]|-(?!-))*")
MAX_ANNOTATIONS_BYTES = 256 << 10
# Longest part of a value or field in a message, in characters.
_MAX_SHOWN = 256
# Nobody reads more causes than this.
_MAX_CAUSES = 50

LABEL_RULE = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"  # noqa: E501
SERVICE_RULE = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character"  # noqa: E501
SUBDOMAIN_RULE = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"  # noqa: E501
QUALIFIED_RULE = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"  # noqa: E501
VALUE_RULE = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"  # noqa: E501
ENV_RULE = "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit"  # noqa: E501
PORT_NAME_RULE = "must contain only alphanumeric characters (a-z, 0-9), and hyphens (-), and at least one letter (a-z)"


def dns_label(text: str) -> str:
    """Why the text is not an RFC 1123 label; empty if it is one."""
    if len(text) > 63:
        return "must be no more than 63 characters"
    return "" if _LABEL.fullmatch(text) else LABEL_RULE


def dns_1035(text: str) -> str:
    """Why the text is not an RFC 1035 label, as services' names must be; empty if it is one."""
    if len(text) > 63:
        return "must be no more than 63 characters"
    return "" if _SERVICE_LABEL.fullmatch(text) else SERVICE_RULE


def dns_subdomain(text: str) -> str:
    """Why the text is not an RFC 1123 subdomain; empty if it is one."""
    if len(text) > 253:
        return "must be no more than 253 characters"
    return "" if _SUBDOMAIN.fullmatch(text) else SUBDOMAIN_RULE


def qualified_name(text: str) -> str:
    """Why the text is not a label key (`[prefix/]name`); empty if it is one."""
    prefix, slash, name = text.rpartition("/")
    if slash and not prefix:
        return "prefix part must be non-empty"
    if prefix and (wrong := dns_subdomain(prefix)):
        return f"prefix part {wrong}"
    if not name:
        return "name part must be non-empty"
    if len(name) > 63:
        return "name part must be no more than 63 characters"
    return "" if _QUALIFIED.fullmatch(name) else QUALIFIED_RULE


def label_value(text: str) -> str:
    """Why the text is not a label value; empty if it is one."""
    if len(text) > 63:
        return "must be no more than 63 characters"
    return "" if not text or _QUALIFIED.fullmatch(text) else VALUE_RULE


def port_name(text: str) -> str:
    """Why the text is not the name of a container port; empty if it is one."""
    if len(text) > 15:
        return "must be no more than 15 characters"
    if not _PORT_NAME.fullmatch(text) or not any(c.isalpha() for c in text):
        return PORT_NAME_RULE
    return "must not end with a hyphen" if text.endswith("-") else ""


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

    def inert(self, field: str, effect: str) -> None:
        """The field is stored, but has no effect yet. `effect` is what it would do. This is only a warning."""
        if len(self.warnings) < _MAX_CAUSES:
            self.warnings.append(f"{_shortened(field)}: has no effect yet: {effect}")

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
            self.form(field, key, qualified_name(key))
            self.form(field, value, label_value(value))

    def annotations(self, field: str, annotations: Mapping[str, str]) -> None:
        for key in annotations:
            self.form(field, key, qualified_name(key.lower()))
        if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > MAX_ANNOTATIONS_BYTES:
            self.too_long(field, MAX_ANNOTATIONS_BYTES)

    def env_name(self, field: str, name: str) -> None:
        if not name:
            self.required(field)
        elif not _ENV.fullmatch(name):
            self.invalid(field, name, ENV_RULE)

    def config_key(self, field: str, key: str) -> None:
        if len(key) > 253 or not _CONFIG_KEY.fullmatch(key) or key in (".", "..") or key.startswith("../"):
            self.invalid(field, key, "a valid config key must consist of alphanumeric characters, '-', '_' or '.'")

    def quantity(self, field: str, text: str) -> None:
        try:
            value = quantity.parse(text)
            if value < 0:
                self.invalid(field, text, "must be greater than or equal to 0")
            elif value > quantity.MAX:
                self.invalid(field, text, f"must be less than or equal to {quantity.MAX}")
        except ValueError as error:
            self.invalid(field, text, str(error))

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
