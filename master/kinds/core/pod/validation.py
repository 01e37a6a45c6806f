"""Validation of pod specs, in pods and in templates. Each finding names its field."""

from __future__ import annotations

from master.kinds.core.pod.affinity import NodeSelectorTerm, Toleration
from master.kinds.core.pod.container import (
    Container,
    EnvVar,
    LifecycleHandler,
    Probe,
)
from master.kinds.core.pod.defaults import volume_sources
from master.kinds.core.pod.inert import warn_about_spec
from master.kinds.core.pod.model import PodSpec
from master.kinds.core.pod.volume import Volume
from master.schema import checks
from master.schema.checks import Findings, dns_label, dns_subdomain, port_name

PROTOCOLS = ("SCTP", "TCP", "UDP")


def check_pod_spec(spec: PodSpec, at: str, findings: Findings) -> None:
    """Checks a spec that has its defaults. `at` is its path, such as `spec` or `spec.template.spec`."""
    volumes = _volumes(spec.volumes, f"{at}.volumes", findings)
    if not spec.containers:
        findings.required(f"{at}.containers")
    all_containers = [*spec.init_containers, *spec.containers]
    for field, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for index, container in enumerate(containers):
            _Container(container, f"{at}.{field}[{index}]", findings).check(volumes)
    seen: set[str] = set()
    for index, container in enumerate(all_containers):
        if container.name and container.name in seen:
            place = index - len(spec.init_containers)
            findings.duplicate(
                f"{at}.containers[{place}].name" if place >= 0 else f"{at}.initContainers[{index}].name", container.name
            )
        seen.add(container.name)
    _host_ports(spec, at, findings)
    findings.one_of(f"{at}.restartPolicy", spec.restart_policy, ("Always", "Never", "OnFailure"))
    findings.one_of(f"{at}.dnsPolicy", spec.dns_policy, ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"))
    _names(spec, at, findings)
    _placing(spec, at, findings)
    warn_about_spec(spec, at, findings)


def _names(spec: PodSpec, at: str, findings: Findings) -> None:
    for field, name, form in (
        ("nodeName", spec.node_name, dns_subdomain),
        ("serviceAccountName", spec.service_account_name, dns_subdomain),
        ("hostname", spec.hostname, dns_label),
        ("subdomain", spec.subdomain, dns_label),
    ):
        if name:
            findings.form(f"{at}.{field}", name, form(name))
    for index, alias in enumerate(spec.host_aliases):
        findings.ip(f"{at}.hostAliases[{index}].ip", alias.ip)
        for name in alias.hostnames:
            findings.form(f"{at}.hostAliases[{index}].hostnames", name, dns_subdomain(name))


def _placing(spec: PodSpec, at: str, findings: Findings) -> None:
    findings.labels(f"{at}.nodeSelector", spec.node_selector)
    for index, toleration in enumerate(spec.tolerations):
        _toleration(toleration, f"{at}.tolerations[{index}]", findings)
    affinity = spec.affinity.node_affinity if spec.affinity else None
    if affinity is None:
        return
    required = affinity.required_during_scheduling_ignored_during_execution
    where = f"{at}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    if required is not None and not required.node_selector_terms:
        findings.required(where, "must have at least one node selector term")
    for index, term in enumerate(required.node_selector_terms if required else ()):
        _term(term, f"{where}[{index}]", findings)
    where = f"{at}.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"
    for index, preferred in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        if not 1 <= preferred.weight <= 100:
            findings.invalid(f"{where}[{index}].weight", preferred.weight, "must be in the range 1-100")
        _term(preferred.preference, f"{where}[{index}].preference", findings)


def _term(term: NodeSelectorTerm, at: str, findings: Findings) -> None:
    for index, condition in enumerate(term.match_expressions):
        where = f"{at}.matchExpressions[{index}]"
        if condition.operator in ("In", "NotIn") and not condition.values:
            findings.required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        if condition.operator in ("Gt", "Lt") and len(condition.values) != 1:
            findings.required(f"{where}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
        if condition.operator in ("Exists", "DoesNotExist") and condition.values:
            findings.forbidden(f"{where}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")


def _toleration(toleration: Toleration, at: str, findings: Findings) -> None:
    findings.one_of(f"{at}.operator", toleration.operator, ("", "Equal", "Exists"))
    findings.one_of(f"{at}.effect", toleration.effect, ("", "NoSchedule", "PreferNoSchedule", "NoExecute"))
    if not toleration.key and toleration.operator != "Exists":
        findings.invalid(f"{at}.operator", toleration.operator, "operator must be Exists when `key` is empty")


def _volumes(volumes: tuple[Volume, ...], at: str, findings: Findings) -> set[str]:
    for index, volume in enumerate(volumes):
        where = f"{at}[{index}]"
        if not volume.name:
            findings.required(f"{where}.name")
        else:
            findings.form(f"{where}.name", volume.name, dns_label(volume.name))
        sources = volume_sources(volume)
        if len(sources) > 1:
            findings.forbidden(where, f"may not specify more than 1 volume type, has {', '.join(sources)}")
        if volume.host_path is not None:
            if not volume.host_path.path:
                findings.required(f"{where}.hostPath.path")
            elif ".." in volume.host_path.path.split("/"):
                findings.invalid(f"{where}.hostPath.path", volume.host_path.path, "must not contain '..'")
        if volume.config_map is not None and not volume.config_map.name:
            findings.required(f"{where}.configMap.name")
        if volume.secret is not None and not volume.secret.secret_name:
            findings.required(f"{where}.secret.secretName")
    findings.unique(at, ((f"[{index}].name", volume.name) for index, volume in enumerate(volumes)))
    return {volume.name for volume in volumes}


def _host_ports(spec: PodSpec, at: str, findings: Findings) -> None:
    """Checks that no two containers publish the same port of the node."""
    seen: set[tuple[str, str, int]] = set()
    for index, container in enumerate(spec.containers):
        for place, port in enumerate(container.ports):
            where = f"{at}.containers[{index}].ports[{place}]"
            if spec.host_network and port.host_port != port.container_port:
                findings.invalid(
                    f"{where}.containerPort", port.container_port, "must match `hostPort` when `hostNetwork` is true"
                )
            held = (port.host_ip, port.protocol, port.host_port)
            if port.host_port and held in seen:
                findings.duplicate(f"{where}.hostPort", f"{port.protocol}/{port.host_ip}/{port.host_port}")
            seen.add(held)


class _Container:
    """The checks of one container at one path."""

    def __init__(self, container: Container, at: str, findings: Findings) -> None:
        self.container = container
        self.at = at
        self.findings = findings

    def check(self, volumes: set[str]) -> None:
        container, at, findings = self.container, self.at, self.findings
        if not container.name:
            findings.required(f"{at}.name")
        else:
            findings.form(f"{at}.name", container.name, dns_label(container.name))
        if not container.image:
            findings.required(f"{at}.image")
        elif container.image != container.image.strip() or any(c.isspace() for c in container.image):
            findings.invalid(f"{at}.image", container.image, "must not have leading, trailing or inner whitespace")
        findings.one_of(f"{at}.imagePullPolicy", container.image_pull_policy, ("Always", "IfNotPresent", "Never"))
        findings.one_of(
            f"{at}.terminationMessagePolicy", container.termination_message_policy, ("FallbackToLogsOnError", "File")
        )
        self._ports()
        for index, variable in enumerate(container.env):
            self._env(variable, f"{at}.env[{index}]")
        self._env_from()
        self._mounts(volumes)
        resources = container.resources
        checks.container_resources(findings, f"{at}.resources", resources.requests, resources.limits)
        for name in ("liveness", "readiness", "startup"):
            probe: Probe | None = getattr(container, f"{name}_probe")
            if probe is not None:
                self._probe(probe, f"{at}.{name}Probe")
        for name, handler in (
            ("postStart", container.lifecycle.post_start if container.lifecycle else None),
            ("preStop", container.lifecycle.pre_stop if container.lifecycle else None),
        ):
            if handler is not None:
                self._handler(handler, f"{at}.lifecycle.{name}")

    def _ports(self) -> None:
        for index, port in enumerate(self.container.ports):
            where = f"{self.at}.ports[{index}]"
            if port.container_port == 0:
                self.findings.required(f"{where}.containerPort")
            else:
                self.findings.port(f"{where}.containerPort", port.container_port)
            if port.host_port:
                self.findings.port(f"{where}.hostPort", port.host_port)
            if port.name:
                self.findings.form(f"{where}.name", port.name, port_name(port.name))
            self.findings.one_of(f"{where}.protocol", port.protocol, PROTOCOLS)
            if port.host_ip:
                self.findings.ip(f"{where}.hostIP", port.host_ip)
        self.findings.unique(f"{self.at}.ports", ((f"[{i}].name", p.name) for i, p in enumerate(self.container.ports)))

    def _env(self, variable: EnvVar, at: str) -> None:
        self.findings.env_name(f"{at}.name", variable.name)
        source = variable.value_from
        if source is None:
            return
        given = [name for name in source.__struct_fields__ if getattr(source, name) is not None]
        if len(given) != 1:
            self.findings.invalid(
                f"{at}.valueFrom",
                "",
                "must specify exactly one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
            )
        if variable.value:
            self.findings.invalid(f"{at}.valueFrom", "", "may not be specified when `value` is not empty")
        for field, ref in (("configMapKeyRef", source.config_map_key_ref), ("secretKeyRef", source.secret_key_ref)):
            if ref is not None and not ref.name:
                self.findings.required(f"{at}.valueFrom.{field}.name")
            if ref is not None and not ref.key:
                self.findings.required(f"{at}.valueFrom.{field}.key")

    def _env_from(self) -> None:
        for index, source in enumerate(self.container.env_from):
            where = f"{self.at}.envFrom[{index}]"
            if (source.config_map_ref is None) == (source.secret_ref is None):
                self.findings.invalid(where, "", "must specify exactly one of: `configMapRef` or `secretRef`")
            if source.prefix:
                self.findings.env_name(f"{where}.prefix", source.prefix)

    def _mounts(self, volumes: set[str]) -> None:
        for index, mount in enumerate(self.container.volume_mounts):
            where = f"{self.at}.volumeMounts[{index}]"
            if not mount.name:
                self.findings.required(f"{where}.name")
            elif mount.name not in volumes:
                self.findings.missing(f"{where}.name", mount.name)
            if not mount.mount_path:
                self.findings.required(f"{where}.mountPath")
            if mount.sub_path.startswith("/") or ".." in mount.sub_path.split("/"):
                self.findings.invalid(f"{where}.subPath", mount.sub_path, "must be a relative path without '..'")
        mounts = self.container.volume_mounts
        self.findings.unique(
            f"{self.at}.volumeMounts", ((f"[{i}].mountPath", m.mount_path) for i, m in enumerate(mounts))
        )

    def _probe(self, probe: Probe, at: str) -> None:
        handlers = [h for h in (probe.exec, probe.http_get, probe.tcp_socket, probe.grpc) if h is not None]
        if len(handlers) != 1:
            self.findings.required(at, "must specify exactly one handler: exec, httpGet, tcpSocket or grpc")
        if probe.exec is not None and not probe.exec.command:
            self.findings.required(f"{at}.exec.command")
        if not at.endswith("readinessProbe") and probe.success_threshold != 1:
            self.findings.invalid(f"{at}.successThreshold", probe.success_threshold, "must be 1")

    def _handler(self, handler: LifecycleHandler, at: str) -> None:
        given = [name for name in handler.__struct_fields__ if getattr(handler, name) is not None]
        if len(given) != 1:
            self.findings.required(at, "must specify exactly one handler: exec, httpGet, tcpSocket or sleep")
