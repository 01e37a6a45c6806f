"""The rules of passive kinds are those of Kubernetes: what is refused, with which reason, at which field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from master.kinds import PASSIVE
from master.objects.meta import ObjectMeta
from master.schema.checks import Findings
from master.schema.data import Untyped
from tests.fakes.keyspace import NoKeys
from tests.sample_objects import example

KINDS = {kind.kind: kind for kind in PASSIVE}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATH = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 1}}}}


def completed(name: str, changes: dict[str, Any]) -> Untyped:
    """The sample object of the kind with other fields, as it would be stored."""
    kind, body = KINDS[name], example(KINDS[name])
    for path, value in changes.items():
        *outer, last = path.split(".")
        holder = body
        for step in outer:
            holder[step] = dict(holder.get(step, {}))
            holder = holder[step]
        holder[last] = value
    obj: Untyped = kind.schema.read({"metadata": {"name": "x"}, **body}, [])
    result: Untyped = kind.strategy.default(kind.schema.default(kind.strategy.for_create(obj, NOW)))
    return result


def causes(name: str, obj: Untyped, old: Untyped | None = None) -> set[tuple[str, str]]:
    kind, findings = KINDS[name], Findings()
    kind.schema.check(obj, findings)
    kind.strategy.check(obj, old, findings, NoKeys())
    if old is not None:
        kind.strategy.check_update(obj, old, findings)
    return {(cause.field, cause.reason.removeprefix("FieldValue")) for cause in findings.causes}


@pytest.mark.parametrize("name", KINDS)
def test_the_sample_is_valid(name: str) -> None:
    assert causes(name, completed(name, {})) == set()


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("PersistentVolumeClaim", {"spec.accessModes": []}, {("spec.accessModes", "Required")}),
        ("PersistentVolumeClaim", {"spec.accessModes": ["No"]}, {("spec.accessModes", "NotSupported")}),
        (
            "PersistentVolumeClaim",
            {"spec.accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]},
            {("spec.accessModes", "Forbidden")},
        ),
        ("PersistentVolumeClaim", {"spec.resources": {}}, {("spec.resources[storage]", "Required")}),
        (
            "PersistentVolumeClaim",
            {"spec.resources.requests": {"storage": "-1"}},
            {("spec.resources[storage]", "Invalid")},
        ),
        ("PersistentVolumeClaim", {"spec.storageClassName": "A_"}, {("spec.storageClassName", "Invalid")}),
        (
            "PersistentVolumeClaim",
            {"spec.selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            {("spec.selector.matchExpressions[0].values", "Required")},
        ),
        ("PersistentVolume", {"spec.capacity": {}}, {("spec.capacity", "Required"), ("spec.capacity", "NotSupported")}),
        ("PersistentVolume", {"spec.nfs": {"server": "s", "path": "/p"}}, {("spec.nfs", "Forbidden")}),
        ("Ingress", {"spec": {}}, {("spec", "Invalid")}),
        ("Ingress", {"spec.rules": [{"host": "1.2.3.4"}]}, {("spec.rules[0].host", "Invalid")}),
        ("Ingress", {"spec.rules": [{"host": "*.a.example"}]}, set()),
        ("Ingress", {"spec.rules": [{"host": "a.*.example"}]}, {("spec.rules[0].host", "Invalid")}),
        ("Ingress", {"spec.rules": [{"http": {"paths": []}}]}, {("spec.rules[0].http.paths", "Required")}),
        (
            "Ingress",
            {"spec.rules": [{"http": {"paths": [{**PATH, "path": "a//b", "pathType": "Exact"}]}}]},
            {("spec.rules[0].http.paths[0].path", "Invalid")},
        ),
        (
            "Ingress",
            {"spec.rules": [{"http": {"paths": [{**PATH, "pathType": None}]}}]},
            {("spec.rules[0].http.paths[0].pathType", "Required")},
        ),
        (
            "Ingress",
            {"spec.defaultBackend": {"service": {"name": "s", "port": {"name": "p", "number": 1}}}},
            {("spec.defaultBackend", "Invalid")},
        ),
        ("Ingress", {"spec.tls": [{"hosts": ["A"]}]}, {("spec.tls[0].hosts[0]", "Invalid")}),
        ("NetworkPolicy", {"spec.ingress": [{"from": [{}]}]}, {("spec.ingress[0].from[0]", "Required")}),
        (
            "NetworkPolicy",
            {"spec.egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}]},
            {("spec.egress[0].to[0].ipBlock.except[0]", "Invalid")},
        ),
        (
            "NetworkPolicy",
            {"spec.ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}]},
            {("spec.ingress[0].from[0].ipBlock.cidr", "Invalid")},
        ),
        (
            "NetworkPolicy",
            {"spec.ingress": [{"ports": [{"port": 80, "endPort": 79}]}]},
            {("spec.ingress[0].ports[0].endPort", "Invalid")},
        ),
        ("NetworkPolicy", {"spec.policyTypes": ["Both"]}, {("spec.policyTypes[0]", "NotSupported")}),
        (
            "HorizontalPodAutoscaler",
            {"spec.maxReplicas": 0},
            {("spec.maxReplicas", "Required"), ("spec.maxReplicas", "Invalid")},
        ),
        ("HorizontalPodAutoscaler", {"spec.minReplicas": 4}, {("spec.maxReplicas", "Invalid")}),
        ("HorizontalPodAutoscaler", {"spec.minReplicas": 0}, {("spec.metrics", "Forbidden")}),
        (
            "HorizontalPodAutoscaler",
            {"spec.scaleTargetRef": {"kind": "Deployment", "name": "d"}},
            {("spec.scaleTargetRef.apiVersion", "Invalid")},
        ),
        (
            "HorizontalPodAutoscaler",
            {"spec.metrics": [{"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue"}}}]},
            {("spec.metrics[0].pods.target.averageValue", "Required")},
        ),
        (
            "HorizontalPodAutoscaler",
            {"spec.metrics": [{"type": "Resource"}]},
            {("spec.metrics[0].resource", "Required")},
        ),
        ("PodDisruptionBudget", {"spec.minAvailable": 1, "spec.maxUnavailable": 1}, {("spec", "Invalid")}),
        ("PodDisruptionBudget", {"spec.minAvailable": "101%"}, {("spec.minAvailable", "Invalid")}),
        ("PodDisruptionBudget", {"spec.maxUnavailable": -1}, {("spec.maxUnavailable", "Invalid")}),
        (
            "Role",
            {"rules": [{"verbs": ["get"]}]},
            {("rules[0].apiGroups", "Required"), ("rules[0].resources", "Required")},
        ),
        ("Role", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/a"]}]}, {("rules[0].nonResourceURLs", "Invalid")}),
        ("ClusterRole", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/a"]}]}, set()),
        ("RoleBinding", {"roleRef.kind": "X"}, {("roleRef.kind", "NotSupported")}),
        ("ClusterRoleBinding", {"roleRef.kind": "Role"}, {("roleRef.kind", "NotSupported")}),
        (
            "ClusterRoleBinding",
            {"subjects": [{"kind": "ServiceAccount", "name": "a"}]},
            {("subjects[0].namespace", "Required")},
        ),
        ("RoleBinding", {"subjects": [{"kind": "X", "name": "a"}]}, {("subjects[0].kind", "NotSupported")}),
        ("LimitRange", {"spec.limits": [{"type": "X"}]}, {("spec.limits[0].type", "Invalid")}),
        (
            "LimitRange",
            {"spec.limits": [{"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]},
            {("spec.limits[0].min[cpu]", "Invalid")},
        ),
        (
            "LimitRange",
            {"spec.limits": [{"type": "Pod", "default": {"cpu": "1"}}]},
            {("spec.limits[0].default", "Forbidden")},
        ),
        ("ResourceQuota", {"spec.hard": {"pods": "1.5"}}, {("spec.hard[pods]", "Invalid")}),
        ("ResourceQuota", {"spec.hard": {"unknown": "1"}}, {("spec.hard[unknown]", "Invalid")}),
        ("ResourceQuota", {"spec.scopes": ["BestEffort", "NotBestEffort"]}, {("spec.scopes", "Invalid")}),
        ("Lease", {"spec.leaseDurationSeconds": 0}, {("spec.leaseDurationSeconds", "Invalid")}),
        ("Lease", {"spec.preferredHolder": "h"}, {("spec.preferredHolder", "Forbidden")}),
        ("CustomResourceDefinition", {"spec.names.plural": "y"}, {("metadata.name", "Invalid")}),
        ("CustomResourceDefinition", {"spec.scope": "Global"}, {("spec.scope", "NotSupported")}),
        (
            "CustomResourceDefinition",
            {
                "spec.versions": [
                    {"name": "v1", "served": True, "storage": False, "schema": {"openAPIV3Schema": {"type": "object"}}}
                ]
            },
            {("spec.versions", "Invalid"), ("status.storedVersions", "Invalid")},
        ),
        (
            "CustomResourceDefinition",
            {
                "spec.versions": [
                    {
                        "name": "v1",
                        "storage": True,
                        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"a": {}}}},
                    }
                ]
            },
            {("spec.versions[0].schema.openAPIV3Schema.properties[a].type", "Required")},
        ),
        (
            "ValidatingWebhookConfiguration",
            {"webhooks": [{"name": "a.b"}]},
            {
                ("webhooks[0].name", "Invalid"),
                ("webhooks[0].clientConfig", "Required"),
                ("webhooks[0].sideEffects", "Required"),
                ("webhooks[0].admissionReviewVersions", "Required"),
            },
        ),
        ("FlowSchema", {"spec.matchingPrecedence": 1}, {("spec.matchingPrecedence", "Invalid")}),
        (
            "PriorityLevelConfiguration",
            {"spec.type": "Exempt"},
            {("spec.type", "Invalid"), ("spec.limited", "Forbidden")},
        ),
        ("VolumeAttachment", {"spec.source": {}}, {("spec.source", "Required")}),
        ("StorageVersionMigration", {"spec.resource": {}}, {("spec.resource.resource", "Required")}),
        ("ServiceCIDR", {"spec.cidrs": ["10.0.0.0/24", "10.1.0.0/24"]}, {("spec.cidrs", "Invalid")}),
        ("ServiceCIDR", {"spec.cidrs": []}, {("spec.cidrs", "Required")}),
        ("ResourceClaim", {"spec.devices": {"requests": [{"name": "r"}]}}, {("spec.devices.requests[0]", "Required")}),
        ("ResourceSlice", {"spec.allNodes": True}, {("spec", "Invalid")}),
        ("CertificateSigningRequest", {"spec.request": "eA=="}, {("spec.request", "Invalid")}),
        ("APIService", {"spec.version": "v2"}, {("metadata.name", "Invalid")}),
    ],
)
def test_a_wrong_object_is_refused(name: str, changes: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert causes(name, completed(name, changes)) == expected


@pytest.mark.parametrize(
    ("name", "before", "after", "expected"),
    [
        ("PersistentVolumeClaim", {}, {"spec.accessModes": ["ReadOnlyMany"]}, {("spec", "Forbidden")}),
        ("PersistentVolumeClaim", {}, {"spec.volumeName": "v"}, set()),
        ("PersistentVolumeClaim", {}, {"spec.storageClassName": "s"}, set()),
        (
            "PersistentVolumeClaim",
            {"spec.storageClassName": "s"},
            {"spec.storageClassName": "t"},
            {("spec", "Forbidden")},
        ),
        ("PersistentVolume", {}, {"spec.csi.volumeHandle": "other"}, {("spec.persistentvolumesource", "Forbidden")}),
        ("PersistentVolume", {}, {"spec.accessModes": ["ReadOnlyMany"]}, set()),
        ("IngressClass", {}, {"spec.controller": "a.example/c"}, {("spec.controller", "Invalid")}),
        ("RoleBinding", {}, {"roleRef.name": "other"}, {("roleRef", "Invalid")}),
        ("VolumeAttachment", {}, {"spec.nodeName": "other"}, {("spec", "Invalid")}),
        ("VolumeAttributesClass", {}, {"driverName": "e.example"}, {("driverName", "Forbidden")}),
        ("ServiceCIDR", {}, {"spec.cidrs": ["10.0.0.0/24", "fd00::/64"]}, set()),
        ("ServiceCIDR", {}, {"spec.cidrs": ["10.1.0.0/24"]}, {("spec.cidrs[0]", "Invalid")}),
        ("ResourceQuota", {}, {"spec.scopes": ["BestEffort"]}, {("spec.scopes", "Invalid")}),
        ("CSIDriver", {}, {"spec.attachRequired": False}, {("spec.attachedRequired", "Invalid")}),
        ("ResourceClaim", {}, {"spec.devices": {}}, {("spec", "Invalid")}),
    ],
)
def test_what_may_change(
    name: str, before: dict[str, Any], after: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    assert causes(name, completed(name, {**before, **after}), completed(name, before)) == expected


@pytest.mark.parametrize(
    ("name", "sent", "path", "stored"),
    [
        ("PodDisruptionBudget", {"spec.minAvailable": 0}, "spec", {"minAvailable": 0}),
        ("ClusterRole", {"rules": []}, "rules", None),
        ("PersistentVolumeClaim", {"spec.storageClassName": ""}, "spec.storageClassName", ""),
        ("NetworkPolicy", {"spec.egress": [{}]}, "spec.policyTypes", ["Ingress", "Egress"]),
        ("Ingress", {}, "status", {"loadBalancer": {}}),
        ("CSINode", {"spec.drivers": []}, "spec", {"drivers": None}),
    ],
)
def test_empty_values_have_the_form_of_kubernetes(name: str, sent: dict[str, Any], path: str, stored: Any) -> None:
    value: Any = completed(name, sent).content
    for step in path.split("."):
        value = value[step]
    assert value == stored


def test_an_autoscaler_keeps_everything_in_its_first_version() -> None:
    kind = KINDS["HorizontalPodAutoscaler"]
    target = {"type": "AverageValue", "averageValue": "5"}
    pods = {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": target}}
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    obj = completed("HorizontalPodAutoscaler", {"spec.metrics": [pods, cpu], "spec.behavior": {"scaleUp": {}}})
    [_, version] = kind.versions
    value = {"apiVersion": "autoscaling/v2", "kind": kind.kind, "metadata": {"name": "x"}, **obj.content}
    old = version.from_stored(value)
    assert old["apiVersion"] == "autoscaling/v1" and old["spec"]["targetCPUUtilizationPercentage"] == 50
    assert version.to_stored(old)["spec"] == obj.spec


def test_the_cells_of_an_ingress() -> None:
    kind = KINDS["Ingress"]
    hosts = [{"host": f"{letter}.example"} for letter in "abcd"]
    obj = completed("Ingress", {"spec.rules": hosts, "spec.tls": [{}]})
    obj = Untyped(metadata=ObjectMeta(name="x", creation_timestamp="2025-12-31T23:59:00Z"), content=obj.content)
    shown = "a.example,b.example,c.example + 1 more..."
    assert kind.table.cells(obj, NOW) == ["x", "<none>", shown, "", "80, 443", "60s"]
