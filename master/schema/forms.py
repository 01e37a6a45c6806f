"""Forms of text that a few kinds have, besides those in names.py. Each function says why a text has another form.

`named` finds these functions, and those of names.py and resourcenames.py, by the names that declarations use.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final

from master.schema import names, quantity, resourcenames
from master.schema.names import dns_label, dns_subdomain, qualified_name

Form = Callable[[str], str]

_HTTP_PATH: Final = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")
_WILDCARD: Final = re.compile(r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WILDCARD_RULE: Final = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain"
_MAX_ID: Final = 32
_MAX_DOMAIN: Final = 63
_MAX_POOL: Final = 253


def named(name: str) -> Form:
    """The function of a form. Raises AttributeError for an unknown name."""
    own = globals().get(name)
    module = names if hasattr(names, name) else resourcenames
    function: Form = own if callable(own) else getattr(module, name)
    return function


def path_segment(text: str) -> str:
    """A name that can be a part of a URL's path."""
    if text in (".", ".."):
        return f"may not be '{text}'"
    wrong = next((part for part in ("/", "%") if part in text), "")
    return f"may not contain '{wrong}'" if wrong else ""


def network(text: str) -> str:
    """A range of addresses, such as 10.0.0.0/8."""
    address, slash, length = text.partition("/")
    if not slash or not length.isdecimal() or not length.isascii():
        return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    if length != str(int(length)):
        return "must not have leading 0s in IP or prefix length"
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    if isinstance(interface, ipaddress.IPv6Interface) and interface.ip.ipv4_mapped is not None:
        return "must not have an IPv4-mapped IPv6 address"
    if "%" in address:
        return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    return (
        "" if interface.ip == interface.network.network_address else "must not have bits set beyond the prefix length"
    )


def canonical_network(text: str) -> str:
    """A range of addresses in the form that the server would write."""
    if wrong := network(text):
        return wrong
    canonical = str(ipaddress.ip_network(text))
    return "" if text == canonical else f'must be in canonical form ("{canonical}")'


def canonical_ip(text: str) -> str:
    """An address in the form that the server would write."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped is not None or address.scope_id):
        return "must not be an IPv4-mapped IPv6 address"
    return "" if text == str(address) else f'must be in canonical form ("{address}")'


def address(text: str) -> str:
    """An IP address."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
    mapped = isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None
    return "must not be an IPv4-mapped IPv6 address" if mapped else ""


def is_address(text: str) -> bool:
    """Whether the text is an IP address, even one in an unusual form."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def domain_path(text: str) -> str:
    """A domain and a path, such as example.com/ingress."""
    domain, _, path = text.partition("/")
    if not domain or not path:
        return 'must be a domain-prefixed path (such as "acme.io/foo")'
    if wrong := dns_subdomain(domain):
        return wrong
    return "" if _HTTP_PATH.fullmatch(path) else "Invalid path"


def qualified_domain(text: str) -> str:
    """A domain of at least three parts, as webhooks' names are."""
    if wrong := dns_subdomain(text):
        return wrong
    return "" if text.count(".") >= 2 else "should be a domain with at least three segments separated by dots"


def wildcard_host(text: str) -> str:
    """A domain whose first part is `*`."""
    if len(text) > 253:
        return "must be no more than 253 characters"
    return "" if _WILDCARD.fullmatch(text) else WILDCARD_RULE


def host(text: str) -> str:
    """A domain, which may begin with `*.`."""
    return wildcard_host(text) if "*" in text else dns_subdomain(text)


def signer_name(text: str) -> str:
    """The name of a signer of certificates: a domain and a name, such as example.com/signer."""
    domain, *rest = text.split("/")
    if len(rest) != 1:
        return "must be a fully qualified domain and path of the form 'example.com/signer-name'"
    labels = domain.split(".")
    if wrong := next((wrong for label in labels if (wrong := dns_label(label))), ""):
        return wrong
    if len(labels) < 2:
        return "should be a domain with at least two segments separated by dots"
    return next((wrong for part in rest[0].split(".") if (wrong := dns_subdomain(part))), "")


def bundle_name(text: str) -> str:
    """The name of a ClusterTrustBundle: its signer with colons, if it has one, and a subdomain."""
    return dns_subdomain(text.rpartition(":")[2])


def driver_name(text: str) -> str:
    """The name of a storage driver: a subdomain in any case, of at most 63 characters."""
    return "must be no more than 63 characters" if len(text) > _MAX_DOMAIN else dns_subdomain(text.lower())


def provisioner_name(text: str) -> str:
    """The name of a program that makes volumes, in any case: a name that may have a domain."""
    return qualified_name(text.lower())


def pool_name(text: str) -> str:
    """The name of a pool of devices: subdomains with slashes between them."""
    if len(text) > _MAX_POOL:
        return f"must be no more than {_MAX_POOL} characters"
    return next((wrong for part in text.split("/") if (wrong := dns_subdomain(part))), "")


def device_attribute(text: str) -> str:
    """The name of a property of a device: an identifier, which may follow a domain and a slash."""
    domain, slash, name = text.rpartition("/")
    if slash and not domain:
        return "the domain must not be empty"
    if domain and (
        wrong := "must be no more than 63 characters" if len(domain) > _MAX_DOMAIN else dns_subdomain(domain)
    ):
        return wrong
    if len(name) > _MAX_ID:
        return f"must be no more than {_MAX_ID} characters"
    return "" if _IDENTIFIER.fullmatch(name) else "a valid C identifier must start with alphabetic character or '_'"


def signed_quantity(text: str) -> str:
    """A quantity that may be negative as far as its type goes: other rules say more about it."""
    try:
        quantity.parse(text)
    except ValueError as error:
        return str(error)
    return ""


def extended_resource_name(text: str) -> str:
    """The name of a resource with a domain of its own."""
    return "" if resourcenames.is_extended_resource(text) else "must be a valid extended resource name"
