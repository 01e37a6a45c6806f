"""The syntax of names, keys and values: labels, ports, environment variables and others.

Each function says why a text does not have its form. The wording is that of the Kubernetes API, so that users recognise
it.
"""

from __future__ import annotations

import re
from functools import lru_cache

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SERVICE_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_PORT_NAME = re.compile(r"[a-z0-9]([a-z0-9]|-(?!-))*")
_PRINTABLE = re.compile(r"[ -<>-~]+")
# Texts of each form that are remembered: the same names come again and again.
_REMEMBERED = 4096

LABEL_RULE = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"  # noqa: E501
SERVICE_RULE = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character"  # noqa: E501
SUBDOMAIN_RULE = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"  # noqa: E501
QUALIFIED_RULE = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"  # noqa: E501
VALUE_RULE = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"  # noqa: E501
PORT_NAME_RULE = "must contain only alphanumeric characters (a-z, 0-9), and hyphens (-), and at least one letter (a-z)"
RELAXED_ENV_RULE = "a valid environment variable name must consist only of printable ASCII characters other than '='"
CONFIG_KEY_RULE = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"


@lru_cache(maxsize=_REMEMBERED)
def dns_label(text: str) -> str:
    """Why the text is not an RFC 1123 label; empty if it is one."""
    return _wrong(text, 63, _LABEL, LABEL_RULE)


@lru_cache(maxsize=_REMEMBERED)
def dns_1035(text: str) -> str:
    """Why the text is not an RFC 1035 label, as services' names must be; empty if it is one."""
    return _wrong(text, 63, _SERVICE_LABEL, SERVICE_RULE)


@lru_cache(maxsize=_REMEMBERED)
def dns_subdomain(text: str) -> str:
    """Why the text is not an RFC 1123 subdomain; empty if it is one."""
    return _wrong(text, 253, _SUBDOMAIN, SUBDOMAIN_RULE)


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
    return _wrong(text, 63, _QUALIFIED, VALUE_RULE) if text else ""


@lru_cache(maxsize=_REMEMBERED)
def port_name(text: str) -> str:
    """Why the text is not the name of a container port; empty if it is one."""
    if len(text) > 15:
        return "must be no more than 15 characters"
    if not _PORT_NAME.fullmatch(text) or not any(c.isalpha() for c in text):
        return PORT_NAME_RULE
    return "must not end with a hyphen" if text.endswith("-") else ""


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


def _wrong(text: str, longest: int, form: re.Pattern[str], rule: str) -> str:
    if len(text) > longest:
        return f"must be no more than {longest} characters"
    return "" if form.fullmatch(text) else rule
