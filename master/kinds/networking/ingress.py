"""Ingress: hosts, paths and backends, certificates, and the cells of its table."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from master.registry.passive import Supplement
from master.registry.table import Cell
from master.registry.untyped import UntypedStrategy
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.forms import host, is_address, path_segment
from master.schema.names import dns_label, dns_subdomain, port_name

CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"
_PATH_TYPES: Final = ("Exact", "ImplementationSpecific", "Prefix")
_FORBIDDEN_IN_PATHS: Final = ("//", "/./", "/../", "%2f", "%2F")
_FORBIDDEN_AT_THE_END: Final = ("/..", "/.")
_SHOWN_HOSTS: Final = 3
# Longer texts with addresses are cut.
_SHOWN_ADDRESS: Final = 16


class IngressStrategy(UntypedStrategy):
    """The rules of ingresses."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        spec = obj.spec
        if not spec.get("rules") and "defaultBackend" not in spec:
            findings.invalid("spec", None, "either `defaultBackend` or `rules` must be specified")
        if "defaultBackend" in spec:
            _check_backend(spec["defaultBackend"], "spec.defaultBackend", findings)
        for index, rule in enumerate(spec.get("rules", ())):
            _check_rule(rule, f"spec.rules[{index}]", findings)
        for index, tls in enumerate(spec.get("tls", ())):
            for position, name in enumerate(tls.get("hosts", ())):
                findings.form(f"spec.tls[{index}].hosts[{position}]", name, host(name))

    def check(self, obj: Untyped, old: Untyped | None, findings: Findings, keyspace: Any) -> None:
        super().check(obj, old, findings, keyspace)
        name = obj.metadata.annotations.get(CLASS_ANNOTATION)
        if old is not None or name is None:
            return
        wanted = obj.spec.get("ingressClassName")
        if wanted is None:
            why = "please use 'spec.ingressClassName' instead"
            findings.warnings.append(f'annotation "{CLASS_ANNOTATION}" is deprecated, {why}')
        elif wanted != name:
            why = "must match `ingressClassName` when both are specified"
            findings.invalid(f"annotations.{CLASS_ANNOTATION}", name, why)

    def check_status(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        for index, ingress in enumerate(new.status["loadBalancer"].get("ingress", ())):
            at = f"status.loadBalancer.ingress[{index}]"
            if "ip" in ingress:
                findings.ip(f"{at}.ip", ingress["ip"])
            if "hostname" in ingress:
                _check_name(ingress["hostname"], f"{at}.hostname", findings)


def _check_name(name: str, at: str, findings: Findings) -> None:
    if is_address(name):
        findings.invalid(at, name, "must be a DNS name, not an IP address")
    findings.form(at, name, dns_subdomain(name))


def _check_rule(rule: dict[str, Any], at: str, findings: Findings) -> None:
    name = rule.get("host", "")
    if is_address(name):
        findings.invalid(f"{at}.host", name, "must be a DNS name, not an IP address")
    if name:
        findings.form(f"{at}.host", name, host(name))
    for index, path in enumerate(rule.get("http", {}).get("paths") or ()):
        _check_path(path, f"{at}.http.paths[{index}]", findings)


def _check_path(path: dict[str, Any], at: str, findings: Findings) -> None:
    type_, text = path.get("pathType"), path.get("path", "")
    if type_ is None:
        findings.required(f"{at}.pathType", "pathType must be specified")
        return
    findings.one_of(f"{at}.pathType", type_, _PATH_TYPES)
    if type_ in ("Exact", "Prefix"):
        _check_exact(text, f"{at}.path", findings)
    elif type_ == "ImplementationSpecific" and text and not text.startswith("/"):
        findings.invalid(f"{at}.path", text, "must be an absolute path")
    _check_backend(path["backend"], f"{at}.backend", findings)


def _check_exact(path: str, at: str, findings: Findings) -> None:
    if not path.startswith("/"):
        findings.invalid(at, path, "must be an absolute path")
    for part in _FORBIDDEN_IN_PATHS:
        if part in path:
            findings.invalid(at, path, f"must not contain '{part}'")
    for end in _FORBIDDEN_AT_THE_END:
        if path.endswith(end):
            findings.invalid(at, path, f"cannot end with '{end}'")


def _check_backend(backend: dict[str, Any], at: str, findings: Findings) -> None:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        findings.invalid(at, "", "cannot set both resource and service backends")
    elif service is not None:
        _check_service(service, at, findings)
    elif resource is not None:
        findings.form(f"{at}.resource.apiGroup", resource.get("apiGroup") or "", _group(resource.get("apiGroup")))
        for name in ("kind", "name"):
            findings.form(f"{at}.resource.{name}", resource.get(name, ""), path_segment(resource.get(name, "")))
    else:
        findings.invalid(at, "", "resource or service backend is required")


def _group(group: str | None) -> str:
    """Why the group of a reference is not valid. None is the core group, but empty text is not."""
    return "" if group is None else dns_subdomain(group)


def _check_service(service: dict[str, Any], at: str, findings: Findings) -> None:
    if not service["name"]:
        findings.required(f"{at}.service.name")
    else:
        findings.form(f"{at}.service.name", service["name"], dns_label(service["name"]))
    name, number = service.get("port", {}).get("name", ""), service.get("port", {}).get("number", 0)
    if name and number:
        findings.invalid(at, "", "cannot set both port name & port number")
    elif name:
        findings.form(f"{at}.service.port.name", name, port_name(name))
    elif number:
        findings.port(f"{at}.service.port.number", number)
    else:
        findings.required(at, "port name or number is required")


def _hosts(obj: Untyped, now: datetime) -> Cell:
    rules = obj.spec.get("rules", ())
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    if not hosts:
        return "*"
    shown = ",".join(hosts[:_SHOWN_HOSTS])
    # As soon as three hosts are shown, any further rule counts.
    third = [index for index, rule in enumerate(rules) if rule.get("host")][_SHOWN_HOSTS - 1 : _SHOWN_HOSTS]
    more = bool(third) and len(rules) > third[0] + 1
    return f"{shown} + {len(rules) - _SHOWN_HOSTS} more..." if more else shown


def _addresses(obj: Untyped, now: datetime) -> Cell:
    entries = (obj.status or {}).get("loadBalancer", {}).get("ingress", ())
    text = ",".join(sorted({address for entry in entries if (address := entry.get("ip") or entry.get("hostname"))}))
    return text if len(text) <= _SHOWN_ADDRESS else f"{text[: _SHOWN_ADDRESS - 3]}..."


def _ports(obj: Untyped, now: datetime) -> Cell:
    return "80, 443" if obj.spec.get("tls") else "80"


INGRESS: Final = Supplement(IngressStrategy, cells={"Hosts": _hosts, "Address": _addresses, "Ports": _ports})
