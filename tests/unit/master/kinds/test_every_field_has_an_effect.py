"""Every field of every kind is carried out, refused, answered with a warning, or information that nothing acts on.

A declaration in the model says that a field has no effect (`inert`) or is refused (`refused`). The table below says
where all others are read. The test verifies both against the code, so a new field cannot be forgotten.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from master.kinds import ALL, PASSIVE, WITHOUT_CONTROLLER
from master.registry.resource import Resource
from master.schema.tree import Field, Items, Map, Node, Struct, Text

MASTER: Final = Path(__file__).resolve().parents[4] / "master"

_SECURITY: Final = ("dispatch/security.py",)
_CONVERT: Final = ("dispatch/convert.py",)
_PROBES: Final = ("dispatch/probes.py",)
_VOLUMES: Final = ("dispatch/volumes.py",)
_SCHEDULER: Final = ("scheduler/model.py", "scheduler/predicates.py")
_ENDPOINTS: Final = ("controllers/endpoints.py", "dispatch/convert.py", "dispatch/endpoints.py")

READ_IN: Final[Mapping[str, tuple[str, ...]]] = {
    "ObjectMeta": ("api/pipeline/metadata.py", "api/pipeline/pipeline.py"),
    "OwnerReference": ("api/pipeline/metadata.py", "controllers/garbage.py", "component/podstate.py"),
    "NamespaceSpec": ("controllers/namespace.py",),
    "NodeSpec": ("dispatch/convert.py", "scheduler/model.py"),
    "PodTemplateSpec": ("controllers/workload/pods.py",),
    "PodSpec": (
        *_CONVERT,
        *_SECURITY,
        "kinds/core/pod/binding.py",
        # Which of them have no effect depends on their keys.
        "kinds/core/pod/inert.py",
        "admission/podaccounts.py",
        "kinds/core/pod/readiness.py",
        "scheduler/model.py",
        "scheduler/scheduler.py",
    ),
    "ServiceAccount": ("admission/podaccounts.py",),
    "Toleration": ("kinds/core/pod/inert.py", "kinds/core/pod/placement.py", "admission/defaulttolerations.py"),
    "PodSecurityContext": (*_CONVERT, *_SECURITY),
    "PodOS": _SECURITY,
    "PodDNSConfig": _CONVERT,
    "PodDNSConfigOption": _CONVERT,
    "PodReadinessGate": ("kinds/core/pod/readiness.py",),
    "PodSchedulingGate": ("kinds/core/pod/updates.py",),
    "Sysctl": _CONVERT,
    "HostAlias": _CONVERT,
    "Affinity": _SCHEDULER,
    "NodeAffinity": _SCHEDULER,
    "NodeSelector": _SCHEDULER,
    "NodeSelectorTerm": _SCHEDULER,
    "NodeSelectorRequirement": _SCHEDULER,
    "Container": (*_CONVERT, *_SECURITY),
    "EphemeralContainer": (*_CONVERT, *_SECURITY),
    "LocalObjectReference": _CONVERT,
    "ContainerPort": ("controllers/backends.py", "scheduler/model.py"),
    "ContainerRestartRule": _CONVERT,
    "ContainerRestartRuleOnExitCodes": _CONVERT,
    "Probe": _PROBES,
    "Lifecycle": _PROBES,
    "LifecycleHandler": _PROBES,
    "ResourceRequirements": _CONVERT,
    "ExecAction": _PROBES,
    "HTTPGetAction": (*_PROBES, *_SECURITY),
    "HTTPHeader": _PROBES,
    "TCPSocketAction": _PROBES,
    "GRPCAction": (*_PROBES, *_SECURITY),
    "SleepAction": _PROBES,
    "EnvFromSource": _CONVERT,
    "ConfigMapEnvSource": _CONVERT,
    "SecretEnvSource": _CONVERT,
    "EnvVar": _CONVERT,
    "EnvVarSource": _CONVERT,
    "ConfigMapKeySelector": _CONVERT,
    "SecretKeySelector": _CONVERT,
    "FileKeySelector": _CONVERT,
    "ObjectFieldSelector": _CONVERT,
    "ResourceFieldSelector": ("dispatch/resourcefields.py",),
    "SecurityContext": _SECURITY,
    "Capabilities": _SECURITY,
    "SeccompProfile": _SECURITY,
    "AppArmorProfile": _SECURITY,
    "VolumeMount": (*_CONVERT, *_SECURITY),
    "VolumeDevice": _CONVERT,
    "Volume": _VOLUMES,
    "EmptyDirVolumeSource": _VOLUMES,
    "HostPathVolumeSource": _VOLUMES,
    "SecretVolumeSource": _VOLUMES,
    "ConfigMapVolumeSource": _VOLUMES,
    "KeyToPath": _VOLUMES,
    "DownwardAPIVolumeSource": _VOLUMES,
    "DownwardAPIVolumeFile": _VOLUMES,
    "ProjectedVolumeSource": _VOLUMES,
    "VolumeProjection": _VOLUMES,
    "SecretProjection": _VOLUMES,
    "ConfigMapProjection": _VOLUMES,
    "DownwardAPIProjection": _VOLUMES,
    "ServiceAccountTokenProjection": _VOLUMES,
    "NFSVolumeSource": _VOLUMES,
    "ImageVolumeSource": _VOLUMES,
    "PersistentVolumeClaimVolumeSource": (*_VOLUMES, "component/boundclaims.py"),
    "EphemeralVolumeSource": ("controllers/ephemeralvolumes.py",),
    "PersistentVolumeClaimTemplate": ("controllers/ephemeralvolumes.py",),
    "ServiceSpec": (
        "controllers/backends.py",
        "dispatch/convert.py",
        "kinds/core/service/families.py",
        "kinds/core/service/strategy.py",
    ),
    "ServicePort": ("controllers/backends.py", "dispatch/convert.py"),
    "EndpointSubset": _ENDPOINTS,
    "EndpointAddress": _ENDPOINTS,
    "EndpointPort": _ENDPOINTS,
    "EndpointSlice": _ENDPOINTS,
    "Endpoint": _ENDPOINTS,
    "EndpointConditions": _ENDPOINTS,
    "EndpointSlicePort": _ENDPOINTS,
    "Endpoints": _ENDPOINTS,
    "ReplicationControllerSpec": ("controllers/workload/workload.py",),
    "ReplicaSetSpec": ("controllers/workload/workload.py",),
    "DeploymentSpec": (
        "controllers/deployment/rollout.py",
        "controllers/deployment/status.py",
        "controllers/workload/workload.py",
    ),
    "DeploymentStrategy": ("controllers/deployment/rollout.py",),
    "RollingUpdateDeployment": ("controllers/deployment/rollout.py",),
    "LabelSelector": ("objects/labelselector.py",),
    "LabelSelectorRequirement": ("objects/labelselector.py",),
    "ManagedFieldsEntry": ("fieldmanager/managers.py",),
    "ConfigMap": ("dispatch/convert.py", "kinds/core/configmap.py"),
    "Secret": ("dispatch/convert.py", "kinds/core/secret.py"),
}

# Fields for people and other programs. Kubernetes' components do not act on them either, or only for features that
# Sampan does not have, such as zones. The name of a type stands for all its fields.
INFORMATION: Final = frozenset(
    {
        "Event",
        "EventSource",
        "EventSeries",
        "ObjectReference",
        "ServiceAccount.secrets",
        "ObjectMeta.selfLink",
        "NodeSpec.providerID",
        "NodeSpec.externalID",
        "EndpointSubset.notReadyAddresses",
        "EndpointAddress.nodeName",
        "EndpointAddress.targetRef",
        "EndpointPort.appProtocol",
        "Endpoint.nodeName",
        "Endpoint.targetRef",
        "Endpoint.deprecatedTopology",
        "Endpoint.zone",
        "EndpointConditions.serving",
        "EndpointConditions.terminating",
        "EndpointSlicePort.appProtocol",
        # These are copied as a whole into the claim that is made for an ephemeral volume.
        "PersistentVolumeClaimSpec",
        "VolumeResourceRequirements",
        "TypedLocalObjectReference",
        "TypedObjectReference",
    }
)
# The fields of every kind.
_BASE: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})

ACTIVE: Final = [
    resource for resource in ALL if resource.stored and resource not in PASSIVE and resource not in WITHOUT_CONTROLLER
]


@cache
def attributes_read_in(module: str) -> frozenset[str]:
    tree = ast.parse((MASTER / module).read_text())
    return frozenset(
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    )


def has_one_value(field: Field) -> bool:
    """Whether all values but one are refused, so that it need not be read."""
    return isinstance(field.node, Text) and len({*field.node.rules.choice} - {""}) == 1


def structs(resource: Resource[Any]) -> Iterator[tuple[Struct, tuple[Field, ...]]]:
    """The types of a kind outside of its status, with the fields that must have an effect. Each type once.

    Of a field that has none, the types below it are left out.
    """
    seen: set[str] = set()
    open_: list[Node] = [resource.schema.tree]
    while open_:
        node = open_.pop()
        if isinstance(node, (Items, Map)):
            open_.append(node.item)
        elif isinstance(node, Struct) and node.name not in seen:
            seen.add(node.name)
            top = node is resource.schema.tree
            fields = tuple(
                field
                for field in node.fields.values()
                if not (field.inert and not field.effective)
                and not (field.refused and not field.refused_values)
                and not (top and field.name in _BASE)
            )
            yield node, fields
            open_ += [field.node for field in fields]
            open_ += [node.fields[name].node for name in ("metadata", "spec") if top and name in node.fields]


@pytest.mark.parametrize("resource", ACTIVE, ids=lambda resource: resource.kind)
def test_a_field_without_a_declaration_is_read_where_the_table_says(resource: Resource[Any]) -> None:
    missing = []
    for struct, fields in structs(resource):
        if struct.name in INFORMATION:
            continue
        readers = READ_IN.get(struct.name, ())
        read = frozenset().union(*(attributes_read_in(module) for module in readers))
        missing += [
            name
            for field in fields
            if field.attribute not in read
            and (name := f"{struct.name}.{field.name}") not in INFORMATION
            and not field.inert
            and not has_one_value(field)
        ]
    assert missing == [], "declare these fields as inert or refused, or name the module that reads them"


def test_the_table_has_no_type_and_no_field_that_does_not_exist() -> None:
    known = {
        struct.name: {field.name for field in fields} for resource in ACTIVE for struct, fields in structs(resource)
    }
    assert [name for name in READ_IN if name not in known] == []
    named = [name.partition(".")[::2] for name in INFORMATION]
    assert [(name, field) for name, field in named if name not in known or (field and field not in known[name])] == []
