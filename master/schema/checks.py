"""Validation: the findings about an object's fields, and the syntax of names, labels, ports and other values.

The wording is that of the Kubernetes API, so that users recognise it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from master.schema import quantity
from master.schema.cause import Cause

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SERVICE_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_PORT_NAME = re.compile(r"[a-z0-9]([a-z0-9]|-(?!-))*")
MAX_ANNOTATIONS_BYTES = 256 << 10
# Longest part of a value or field in a message, in characters.
_MAX_SHOWN = 256
# Texts of each form that are remembered: the same names come again and again.
_REMEMBERED = 4096
# Nobody reads more causes than this.
_MAX_CAUSES = 50
# Fields without effect that one response warns about.
_MAX_WARNINGS = 10

LABEL_RULE = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"  # noqa: E501
SERVICE_RULE = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character"  # noqa: E501
SUBDOMAIN_RULE = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"  # noqa: E501
QUALIFIED_RULE = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"  # noqa: E501
VALUE_RULE = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"  # noqa: E501
PORT_NAME_RULE = "must contain only alphanumeric characters (a-z, 0-9), and hyphens (-), and at least one letter (a-z)"


@lru_cache(maxsize=_REMEMBERED)
def dns_label(text: str) -> str:
    """Why the text is not an RFC 1123 label; empty if it is one."""
    if len(text) > 63:
        return "must be no more than 63 characters"
    return "" if _LABEL.fullmatch(text) else LABEL_RULE


@lru_cache(maxsize=_REMEMBERED)
def dns_1035(text: str) -> str:
    """Why the text is not an RFC 1035 label, as services' names must be; empty if it is one."""
    if len(text) > 63:
        return "must be no more than 63 characters"
    return "" if _SERVICE_LABEL.fullmatch(text) else SERVICE_RULE


@lru_cache(maxsize=_REMEMBERED)
def dns_subdomain(text: str) -> str:
    """Why the text is not an RFC 1123 subdomain; empty if it is one."""
    if len(text) > 253:
        return "must be no more than 253 characters"
    return "" if _SUBDOMAIN.fullmatch(text) else SUBDOMAIN_RULE


@lru_cache(maxsize=_REMEMBERED)
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


@lru_cache(maxsize=_REMEMBERED)
def label_value(text: str) -> str:
    """Why the text is not a label value; empty if it is one."""
    if len(text) > 63:
        return "must be no more than 63 characters"
    return "" if not text or _QUALIFIED.fullmatch(text) else VALUE_RULE


@lru_cache(maxsize=_REMEMBERED)
def port_name(text: str) -> str:
    """Why the text is not the name of a container port; empty if it is one."""
    if len(text) > 15:
        return "must be no more than 15 characters"
    if not _PORT_NAME.fullmatch(text) or not any(c.isalpha() for c in text):
        return PORT_NAME_RULE
    return "must not end with a hyphen" if text.endswith("-") else ""


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


# -- names in pods and ConfigMaps ----------------------------------------------------------------------------------

RELAXED_ENV_RULE = "a valid environment variable name must consist only of printable ASCII characters other than '='"
CONFIG_KEY_RULE = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
_PRINTABLE = re.compile(r"[ -<>-~]+")


@lru_cache(maxsize=_REMEMBERED)
def env_var_name(text: str) -> str:
    """Why the text is not the name of an environment variable, in Kubernetes 1.34 and later; empty if it is one."""
    if not text:
        return "environment variable name must be non-empty"
    return "" if _PRINTABLE.fullmatch(text) else RELAXED_ENV_RULE


@lru_cache(maxsize=_REMEMBERED)
def config_map_key(text: str) -> str:
    """Why the text is not a key of a ConfigMap or Secret; empty if it is one."""
    if len(text) > 253:
        return "must be no more than 253 characters"
    if not _CONFIG_KEY.fullmatch(text):
        return CONFIG_KEY_RULE
    if text in (".", ".."):
        return f"must not be '{text}'"
    return "must not start with '..'" if text.startswith("..") else ""


# -- resources ------------------------------------------------------------------------------------------------------

_COUNTED = (
    *("pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps"),
    *("persistentvolumeclaims", "services.nodeports", "services.loadbalancers"),
)
_MEASURED = ("cpu", "memory", "ephemeral-storage")
_IN_CONTAINERS = frozenset(_MEASURED)
_IN_QUOTAS = frozenset(
    (*_COUNTED, *_MEASURED, *(f"{kind}.{name}" for kind in ("requests", "limits") for name in _MEASURED))
) | {"requests.storage"}
_STANDARD = _IN_QUOTAS | {"storage"}
_HUGE_PAGES = "hugepages-"


def resource_name(text: str) -> str:
    """Why the text is not the name of a resource; empty if it is one. Names without a domain are Kubernetes' own."""
    if wrong := qualified_name(text):
        return wrong
    if "/" in text or text in _STANDARD or text.startswith((_HUGE_PAGES, f"requests.{_HUGE_PAGES}")):
        return ""
    return "must be a standard resource type or fully qualified"


@lru_cache(maxsize=_REMEMBERED)
@lru_cache(maxsize=_REMEMBERED)
def container_resource_name(text: str) -> str:
    """Why the text is not the name of a resource that a container may request; empty if it is one."""
    if wrong := resource_name(text):
        return wrong
    if "/" not in text:
        known = text in _IN_CONTAINERS or text.startswith(_HUGE_PAGES)
        return "" if known else "must be a standard resource for containers"
    if "kubernetes.io/" in text or is_extended_resource(text):
        return ""
    return "doesn't follow extended resource name standard"


def quota_resource_name(text: str) -> str:
    """Why the text is not the name of a resource that a ResourceQuota may limit; empty if it is one."""
    if wrong := resource_name(text):
        return wrong
    known = "/" in text or text in _IN_QUOTAS or text.startswith((_HUGE_PAGES, f"requests.{_HUGE_PAGES}"))
    return "" if known else "must be a standard resource for quota"


def is_extended_resource(name: str) -> bool:
    """Whether the resource has a domain of its own, like example.com/gpu. The name must also fit a quota's name."""
    native = "/" not in name or "kubernetes.io/" in name
    return not native and not name.startswith("requests.") and not qualified_name(f"requests.{name}")


def is_integer_resource(name: str) -> bool:
    """Whether amounts of the resource are integers: numbers of objects, and extended resources."""
    return name in _COUNTED or is_extended_resource(name)


def may_be_overcommitted(name: str) -> bool:
    """Whether a request may be less than its limit."""
    return ("/" not in name or "kubernetes.io/" in name) and not name.startswith(_HUGE_PAGES)


def resource_amount(name: str, text: str) -> str:
    """Why a quantity, which must be a valid one, is not an amount of this resource; empty if it is one."""
    if is_integer_resource(name):
        return "must be an integer" if quantity.millis_of(text) % 1000 else ""
    if name.startswith(_HUGE_PAGES) and not _is_multiple(text, name.removeprefix(_HUGE_PAGES)):
        return f"{quantity.canonical(text)} is not positive integer multiple of {name}"
    return ""


def _is_multiple(text: str, page: str) -> bool:
    try:
        size = quantity.bytes_of(page)
    except ValueError:
        return False
    return size > 0 and quantity.bytes_of(text) % size == 0


def container_resources(findings: Findings, at: str, requests: Mapping[str, str], limits: Mapping[str, str]) -> None:
    """Checks the names and amounts of a container's resources, and its requests against its limits.

    Skips texts that are not quantities, which the model reports, and negative ones.
    """
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, text in amounts.items():
            path = f"{at}.{kind}[{name}]"
            findings.form(path, name, container_resource_name(name))
            findings.form(path, text, _amount(name, text))
    for name, text in requests.items():
        limit = limits.get(name)
        if limit is None:
            if not may_be_overcommitted(name):
                findings.required(f"{at}.limits", "Limit must be set for non overcommitable resources")
        else:
            findings.form(f"{at}.requests", text, _beyond(name, text, limit))
    names = requests.keys() | limits.keys()
    if any(name.startswith(_HUGE_PAGES) for name in names) and names.isdisjoint(("cpu", "memory")):
        findings.forbidden(at, "HugePages require cpu or memory")


@lru_cache(maxsize=_REMEMBERED)
def _amount(name: str, text: str) -> str:
    """Why a quantity is not an amount of this resource; empty if it is one, or if the text is not a quantity."""
    return resource_amount(name, text) if _is_quantity(text) else ""


@lru_cache(maxsize=_REMEMBERED)
def _beyond(name: str, request: str, limit: str) -> str:
    """Why the request does not fit the limit; empty if it does, or if one of them is not a quantity."""
    if not _is_quantity(request) or not _is_quantity(limit):
        return ""
    requested, allowed = quantity.parse(request), quantity.parse(limit)
    if requested != allowed and not may_be_overcommitted(name):
        return f"must be equal to {name} limit of {limit}"
    return f"must be less than or equal to {name} limit of {limit}" if requested > allowed else ""


def _is_quantity(text: str) -> bool:
    try:
        return quantity.parse(text) >= 0
    except ValueError:
        return False
