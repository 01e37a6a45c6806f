"""Validation of pod specs, in pods and in templates. Each finding names its field."""

from __future__ import annotations

from master.kinds.core.pod.blockdevices import check_block_devices
from master.kinds.core.pod.containers import ContainerCheck
from master.kinds.core.pod.envfiles import check_env_files
from master.kinds.core.pod.inert import warn_about_spec
from master.kinds.core.pod.members import declared_containers
from master.kinds.core.pod.model import PodDNSConfig, PodSpec
from master.kinds.core.pod.placement import check_placement
from master.kinds.core.pod.restartrules import check_restart_rules
from master.kinds.core.pod.security import check_pod_security
from master.kinds.core.pod.sidecars import is_sidecar
from master.kinds.core.pod.signals import check_sleeps, check_stop_signals
from master.kinds.core.pod.volumevalidation import check_volumes
from master.schema.checks import Findings
from master.schema.names import dns_label, dns_subdomain, qualified_name

_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
# The limits of the C library's resolver, and those of Kubernetes for the list of search domains.
_MOST_NAMESERVERS = 3
_MOST_SEARCHES = 32
_LONGEST_SEARCHES = 2048
_LONGEST_HOSTNAME = 64


def check_pod_spec(spec: PodSpec, at: str, findings: Findings) -> None:
    """Checks a spec that has its defaults. `at` is its path, such as `spec` or `spec.template.spec`."""
    volumes = check_volumes(spec.volumes, f"{at}.volumes", findings)
    if not spec.containers:
        findings.required(f"{at}.containers")
    for index, container in enumerate(spec.init_containers):
        check = ContainerCheck(container, f"{at}.initContainers[{index}]", findings)
        check.check(volumes, runs_to_completion=not is_sidecar(container))
    for index, container in enumerate(spec.containers):
        ContainerCheck(container, f"{at}.containers[{index}]", findings).check(volumes, runs_to_completion=False)
    for where, container in declared_containers(spec, at):
        check_block_devices(volumes, container, where, findings)
        check_env_files(volumes, container, where, findings)
    _unique_names(spec, at, findings)
    _host_ports(spec, at, findings)
    findings.one_of(f"{at}.restartPolicy", spec.restart_policy, ("Always", "Never", "OnFailure"))
    findings.one_of(f"{at}.dnsPolicy", spec.dns_policy, _DNS_POLICIES)
    _dns(spec, f"{at}.dnsConfig", findings)
    _names(spec, at, findings)
    _hostname_override(spec, f"{at}.hostnameOverride", findings)
    check_placement(spec, at, findings)
    check_pod_security(spec, at, findings)
    check_restart_rules(spec, at, findings)
    check_stop_signals(spec, at, findings)
    check_sleeps(spec, at, findings)
    warn_about_spec(spec, at, findings)


def check_new_pod(spec: PodSpec, findings: Findings) -> None:
    """The rules for new pods only: a later update or binding may set these fields."""
    if spec.ephemeral_containers:
        findings.forbidden("spec.ephemeralContainers", "cannot be set on create")
    for index, volume in enumerate(spec.volumes):
        if volume.image is not None and not volume.image.reference:
            findings.required(f"spec.volumes[{index}].image.reference")
    if spec.node_name and spec.scheduling_gates:
        findings.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")


def check_template_spec(spec: PodSpec, at: str, findings: Findings) -> None:
    """Checks the spec of a template that has its defaults."""
    check_pod_spec(spec, at, findings)
    if spec.ephemeral_containers:
        findings.forbidden(f"{at}.ephemeralContainers", "ephemeral containers not allowed in pod template")


def _unique_names(spec: PodSpec, at: str, findings: Findings) -> None:
    names = [(f".initContainers[{i}].name", container.name) for i, container in enumerate(spec.init_containers)]
    names += [(f".containers[{i}].name", container.name) for i, container in enumerate(spec.containers)]
    findings.unique(at, names)


def _hostname_override(spec: PodSpec, at: str, findings: Findings) -> None:
    name = spec.hostname_override
    if name is None:
        return
    if spec.set_hostname_as_fqdn:
        findings.forbidden(at, "may not be specified when setHostnameAsFQDN is true")
    if spec.host_network:
        findings.forbidden(at, "may not be specified when hostNetwork is true")
    if len(name) > _LONGEST_HOSTNAME:
        findings.too_long(at, _LONGEST_HOSTNAME)
    else:
        findings.form(at, name, dns_subdomain(name))


def _names(spec: PodSpec, at: str, findings: Findings) -> None:
    for field, name, form in (
        ("nodeName", spec.node_name, dns_subdomain),
        ("serviceAccountName", spec.service_account_name, dns_subdomain),
        ("hostname", spec.hostname, dns_label),
        ("subdomain", spec.subdomain, dns_label),
        ("priorityClassName", spec.priority_class_name, dns_subdomain),
        ("runtimeClassName", spec.runtime_class_name or "", dns_subdomain),
    ):
        if name:
            findings.form(f"{at}.{field}", name, form(name))
    for index, alias in enumerate(spec.host_aliases):
        findings.ip(f"{at}.hostAliases[{index}].ip", alias.ip)
        for name in alias.hostnames:
            findings.form(f"{at}.hostAliases[{index}].hostnames", name, dns_subdomain(name))
    for index, gate in enumerate(spec.readiness_gates):
        if gate.condition_type:
            where = f"{at}.readinessGates[{index}].conditionType"
            findings.form(where, gate.condition_type, qualified_name(gate.condition_type))


# -- DNS -----------------------------------------------------------------------------------------------------------


def _dns(spec: PodSpec, at: str, findings: Findings) -> None:
    config = spec.dns_config
    if spec.dns_policy == "None":
        if config is None:
            findings.required(at, "must provide `dnsConfig` when `dnsPolicy` is None")
        elif not config.nameservers:
            findings.required(f"{at}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
    if config is not None:
        _dns_config(config, at, findings)


def _dns_config(config: PodDNSConfig, at: str, findings: Findings) -> None:
    if len(config.nameservers) > _MOST_NAMESERVERS:
        why = f"must not have more than {_MOST_NAMESERVERS} nameservers"
        findings.invalid(f"{at}.nameservers", config.nameservers, why)
    for index, address in enumerate(config.nameservers):
        findings.ip(f"{at}.nameservers[{index}]", address)
    if len(config.searches) > _MOST_SEARCHES:
        findings.invalid(f"{at}.searches", config.searches, f"must not have more than {_MOST_SEARCHES} search paths")
    elif len(" ".join(config.searches)) > _LONGEST_SEARCHES:
        why = f"must not have more than {_LONGEST_SEARCHES} characters (including spaces) in the search list"
        findings.invalid(f"{at}.searches", config.searches, why)
    for index, domain in enumerate(config.searches):
        if domain != ".":
            # A search domain may end with a dot and may have underscores, as names of SRV records do.
            findings.form(f"{at}.searches[{index}]", domain, dns_subdomain(domain.removesuffix(".").replace("_", "a")))
    for index, option in enumerate(config.options):
        if not option.name:
            findings.required(f"{at}.options[{index}]", "must not be empty")


def _host_ports(spec: PodSpec, at: str, findings: Findings) -> None:
    """Checks that no two containers publish the same port of the node."""
    seen: set[tuple[str, str, int]] = set()
    for index, container in enumerate(spec.containers):
        for place, port in enumerate(container.ports):
            where = f"{at}.containers[{index}].ports[{place}]"
            if spec.host_network and port.host_port and port.host_port != port.container_port:
                why = "must match `containerPort` when `hostNetwork` is true"
                findings.invalid(f"{where}.hostPort", port.host_port, why)
            held = (port.host_ip, port.protocol, port.host_port)
            if port.host_port and held in seen:
                findings.duplicate(f"{where}.hostPort", f"{port.protocol}/{port.host_ip}/{port.host_port}")
            seen.add(held)
