"""Checks of one container of a pod, and of its ports, variables, mounts, probes and hooks."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

import msgspec

from master.kinds.core.pod.container import Container, EnvVar, LifecycleHandler, Probe
from master.kinds.core.pod.fieldrefs import check_field, check_resource
from master.objects.scalars import MAX_INT32
from master.schema import resourcenames
from master.schema.checks import Findings
from master.schema.names import dns_label, port_name

PROTOCOLS = ("SCTP", "TCP", "UDP")


def given(union: Any, names: Iterable[str] = ()) -> list[str]:
    """The JSON names of the fields that are set, out of all or of those with these attribute names."""
    attributes = names or union.__struct_fields__
    model: type[msgspec.Struct] = type(union)
    return [_json_name(model, name) for name in attributes if getattr(union, name) is not None]


@cache
def _json_name(model: type[msgspec.Struct], attribute: str) -> str:
    return model.__struct_encode_fields__[model.__struct_fields__.index(attribute)]


class ContainerCheck:
    """The checks of one container at one path."""

    def __init__(self, container: Container, at: str, findings: Findings) -> None:
        self.container = container
        self.at = at
        self.findings = findings

    def check(self, volumes: Collection[str], *, runs_to_completion: bool) -> None:
        """`volumes`: names of the pod's volumes. `runs_to_completion`: an init container that is not a sidecar."""
        container, at, findings = self.container, self.at, self.findings
        if not container.name:
            findings.required(f"{at}.name")
        else:
            findings.form(f"{at}.name", container.name, dns_label(container.name))
        if not container.image:
            findings.required(f"{at}.image")
        elif container.image.split() != [container.image]:
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
        resourcenames.container_resources(findings, f"{at}.resources", resources.requests, resources.limits)
        if runs_to_completion:
            self._no_probes()
        else:
            self._probes()

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

    # -- variables ------------------------------------------------------------------------------------------------

    def _env(self, variable: EnvVar, at: str) -> None:
        self.findings.env_name(f"{at}.name", variable.name)
        source = variable.value_from
        if source is None:
            return
        at = f"{at}.valueFrom"
        if len(given(source)) != 1:
            sources = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
            why = f"must specify exactly one of: {sources}"
            self.findings.invalid(at, "", why)
        if variable.value:
            self.findings.invalid(at, "", "may not be specified when `value` is not empty")
        if source.field_ref is not None:
            check_field(source.field_ref, f"{at}.fieldRef", self.findings, in_volume=False)
        if source.resource_field_ref is not None:
            where = f"{at}.resourceFieldRef"
            check_resource(source.resource_field_ref, where, self.findings, in_volume=False)
        for field, ref in (("configMapKeyRef", source.config_map_key_ref), ("secretKeyRef", source.secret_key_ref)):
            if ref is not None and not ref.name:
                self.findings.required(f"{at}.{field}.name")
            if ref is not None and not ref.key:
                self.findings.required(f"{at}.{field}.key")

    def _env_from(self) -> None:
        for index, source in enumerate(self.container.env_from):
            where = f"{self.at}.envFrom[{index}]"
            if (source.config_map_ref is None) == (source.secret_ref is None):
                self.findings.invalid(where, "", "must specify exactly one of: `configMapRef` or `secretRef`")
            if source.prefix:
                self.findings.env_name(f"{where}.prefix", source.prefix)

    # -- mounts ---------------------------------------------------------------------------------------------------

    def _mounts(self, volumes: Collection[str]) -> None:
        paths: set[str] = set()
        for index, mount in enumerate(self.container.volume_mounts):
            where = f"{self.at}.volumeMounts[{index}]"
            if not mount.name:
                self.findings.required(f"{where}.name")
            elif mount.name not in volumes:
                self.findings.missing(f"{where}.name", mount.name)
            if not mount.mount_path:
                self.findings.required(f"{where}.mountPath")
            elif mount.mount_path in paths:
                self.findings.invalid(f"{where}.mountPath", mount.mount_path, "must be unique")
            paths.add(mount.mount_path)
            for field, path in (("subPath", mount.sub_path), ("subPathExpr", mount.sub_path_expr)):
                relative_path(f"{where}.{field}", path, self.findings)
            if mount.sub_path and mount.sub_path_expr:
                why = "subPathExpr and subPath are mutually exclusive"
                self.findings.invalid(f"{where}.subPathExpr", mount.sub_path_expr, why)

    # -- probes and hooks -----------------------------------------------------------------------------------------

    def _no_probes(self) -> None:
        for field in given(self.container, ("lifecycle", "liveness_probe", "readiness_probe", "startup_probe")):
            why = "may not be set for init containers without restartPolicy=Always"
            self.findings.forbidden(f"{self.at}.{field}", why)

    def _probes(self) -> None:
        container = self.container
        for name, probe in (
            ("livenessProbe", container.liveness_probe),
            ("readinessProbe", container.readiness_probe),
            ("startupProbe", container.startup_probe),
        ):
            if probe is not None:
                self._probe(probe, f"{self.at}.{name}", restarts=name != "readinessProbe")
        if container.lifecycle is not None:
            for name in given(container.lifecycle, ("post_start", "pre_stop")):
                hook = container.lifecycle.post_start if name == "postStart" else container.lifecycle.pre_stop
                self._handler(hook, f"{self.at}.lifecycle.{name}", ("exec", "http_get", "tcp_socket", "sleep"))

    def _probe(self, probe: Probe, at: str, *, restarts: bool) -> None:
        """`restarts`: a container whose probe fails is restarted. The ranges of the numbers are declared."""
        self._handler(probe, at, ("exec", "http_get", "tcp_socket", "grpc"))
        if restarts and probe.success_threshold > 1:
            self.findings.invalid(f"{at}.successThreshold", probe.success_threshold, "must be 1")
        grace = probe.termination_grace_period_seconds
        if not restarts and grace is not None and 1 <= grace <= MAX_INT32:
            why = "must not be set for readinessProbes"
            self.findings.invalid(f"{at}.terminationGracePeriodSeconds", grace, why)

    def _handler(self, handler: Probe | LifecycleHandler | None, at: str, forms: tuple[str, ...]) -> None:
        if handler is None:
            return
        names = given(handler, forms)
        if not names:
            self.findings.required(at, "must specify a handler type")
        for name in names[1:]:
            self.findings.forbidden(f"{at}.{name}", "may not specify more than 1 handler type")
        if handler.exec is not None and not handler.exec.command:
            self.findings.required(f"{at}.exec.command")


def relative_path(field: str, path: str, findings: Findings) -> None:
    """A path inside of a volume."""
    if path.startswith("/"):
        findings.invalid(field, path, "must be a relative path")
    elif ".." in path.split("/"):
        findings.invalid(field, path, "must not contain '..'")
