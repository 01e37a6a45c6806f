"""The rules of pod specs, as causes of a refusal: reason and field. The reference is kube-apiserver 1.37."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from master.kinds import POD
from master.kinds.core.pod.defaults import default_pod_spec
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.pod.strategy import PodStrategy
from master.kinds.core.pod.validation import check_template_spec
from master.schema.checks import Findings
from tests.fakes.keyspace import NoKeys

INVALID, REQUIRED, FORBIDDEN = "FieldValueInvalid", "FieldValueRequired", "FieldValueForbidden"
DUPLICATE, UNSUPPORTED, MISSING = "FieldValueDuplicate", "FieldValueNotSupported", "FieldValueNotFound"


def causes(spec: dict[str, Any]) -> list[tuple[str, str]]:
    """Reason and field of each cause, declared rules and coded ones. The field is without `spec.`."""
    spec = {"containers": [{"name": "c", "image": "i"}], **spec}
    pod = Pod(spec=default_pod_spec(msgspec.convert(spec, PodSpec)))
    findings = Findings()
    POD.schema.check(pod, findings)
    PodStrategy().check(pod, None, findings, NoKeys())
    return [(cause.reason, cause.field.removeprefix("spec.")) for cause in findings.causes]


def container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "i", **fields}]}


def init(**fields: Any) -> dict[str, Any]:
    return {"initContainers": [{"name": "s", "image": "i", **fields}]}


PROBE = {"tcpSocket": {"port": 1}}
RULE = {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
MOUNTED = {"volumes": [{"name": "v"}]}
DEVICE = [(REQUIRED, f"containers[0].volumeDevices[0].{field}") for field in ("name", "devicePath")]


def case(name: str, spec: dict[str, Any], *expected: tuple[str, str]) -> Any:
    return pytest.param(spec, list(expected), id=name)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        case("a small pod", {}),
        case(
            "no image of a volume", {"volumes": [{"name": "v", "image": {}}]}, (REQUIRED, "volumes[0].image.reference")
        ),
        case("a gate and a node", {"schedulingGates": [{"name": "g"}], "nodeName": "n"}, (FORBIDDEN, "nodeName")),
        case("a bad gate", {"schedulingGates": [{"name": "a b"}]}, (INVALID, "schedulingGates[0]")),
        case("a gate twice", {"schedulingGates": [{"name": "g"}] * 2}, (DUPLICATE, "schedulingGates[1]")),
        case("ephemeral", {"ephemeralContainers": [{"name": "e"}]}, (FORBIDDEN, "ephemeralContainers")),
        # DNS
        case("no servers", {"dnsPolicy": "None", "dnsConfig": {}}, (REQUIRED, "dnsConfig.nameservers")),
        case("no name server needed", {"dnsConfig": {"searches": ["a.example.", "_tcp.x", "."]}}),
        case("a server's name", {"dnsConfig": {"nameservers": ["x"]}}, (INVALID, "dnsConfig.nameservers[0]")),
        case("four servers", {"dnsConfig": {"nameservers": ["1.1.1.1"] * 4}}, (INVALID, "dnsConfig.nameservers")),
        case("33 searches", {"dnsConfig": {"searches": ["a"] * 33}}, (INVALID, "dnsConfig.searches")),
        case("long searches", {"dnsConfig": {"searches": ["a" * 60] * 32}}),
        case(
            "2,049 letters",
            {"dnsConfig": {"searches": [".".join(["a" * 63] * 2)] * 17}},
            (INVALID, "dnsConfig.searches"),
        ),
        case("a bad search", {"dnsConfig": {"searches": ["a b"]}}, (INVALID, "dnsConfig.searches[0]")),
        case("no option", {"dnsConfig": {"options": [{"value": "1"}]}}, (REQUIRED, "dnsConfig.options[0]")),
        # placement
        case(
            "a constraint twice",
            {"topologySpreadConstraints": [SPREAD, SPREAD]},
            (DUPLICATE, "topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}"),
        ),
        case(
            "two constraints",
            {"topologySpreadConstraints": [SPREAD, {**SPREAD, "whenUnsatisfiable": "ScheduleAnyway"}]},
        ),
        case(
            "domains of a preference",
            {"topologySpreadConstraints": [{**SPREAD, "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}]},
            (INVALID, "topologySpreadConstraints[0].minDomains"),
        ),
        case(
            "keys without a selector",
            {"topologySpreadConstraints": [{**SPREAD, "matchLabelKeys": ["a"]}]},
            (FORBIDDEN, "topologySpreadConstraints[0].matchLabelKeys"),
        ),
        case(
            "a key of the selector",
            {
                "topologySpreadConstraints": [
                    {**SPREAD, "labelSelector": {"matchLabels": {"a": "b"}}, "matchLabelKeys": ["c", "a"]}
                ]
            },
            (INVALID, "topologySpreadConstraints[0].matchLabelKeys[1]"),
        ),
        case(
            "a value of Exists",
            {"tolerations": [{"key": "a", "operator": "Exists", "value": "v"}]},
            (INVALID, "tolerations[0].operator"),
        ),
        case("a bad value", {"tolerations": [{"key": "a", "value": "a b"}]}, (INVALID, "tolerations[0].operator")),
        case("a bad key", {"tolerations": [{"key": "a b"}]}, (INVALID, "tolerations[0].key")),
        case("all taints", {"tolerations": [{"operator": "Exists"}]}),
        case("no key", {"tolerations": [{"value": "v"}]}, (INVALID, "tolerations[0].operator")),
        case(
            "an operator", {"tolerations": [{"key": "a", "operator": "Is"}]}, (UNSUPPORTED, "tolerations[0].operator")
        ),
        case("an effect", {"tolerations": [{"key": "a", "effect": "Stop"}]}, (UNSUPPORTED, "tolerations[0].effect")),
        case(
            "seconds of NoSchedule",
            {"tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}]},
            (INVALID, "tolerations[0].effect"),
        ),
        # containers
        case(
            "a name twice",
            init() | {"initContainers": [{"name": "c", "image": "i"}]},
            (DUPLICATE, "containers[0].name"),
        ),
        *(
            case(f"{field} of an init container", init(**{field: value}), (FORBIDDEN, f"initContainers[0].{field}"))
            for field, value in (
                ("livenessProbe", PROBE),
                ("readinessProbe", PROBE),
                ("startupProbe", PROBE),
                ("lifecycle", {"preStop": {"exec": {"command": ["x"]}}}),
            )
        ),
        case("a probe of a sidecar", init(restartPolicy="Always", startupProbe=PROBE)),
        case(
            "a stop signal without a system",
            container(lifecycle={"stopSignal": "SIGQUIT"}),
            (FORBIDDEN, "containers[0].lifecycle.stopSignal"),
        ),
        case("a stop signal", container(lifecycle={"stopSignal": "SIGRTMIN+3"}) | {"os": {"name": "linux"}}),
        case(
            "an unknown stop signal",
            container(lifecycle={"stopSignal": "SIGNOT"}) | {"os": {"name": "linux"}},
            (UNSUPPORTED, "containers[0].lifecycle.stopSignal"),
        ),
        case(
            "restart rules",
            container(restartPolicy="Never", restartPolicyRules=[RULE, {**RULE, "action": "RestartAllContainers"}]),
        ),
        case(
            "restart rules without a policy",
            container(restartPolicyRules=[RULE]),
            (REQUIRED, "containers[0].restartPolicy"),
        ),
        case(
            "wrong restart rules of an init container",
            init(
                restartPolicy="Always",
                restartPolicyRules=[
                    {"action": "Stop", "exitCodes": {"operator": "Equals", "values": [1]}},
                    {"action": "Restart"},
                    {"action": "Restart", "exitCodes": {"operator": "In", "values": [256]}},
                ],
            ),
            (UNSUPPORTED, "initContainers[0].restartPolicyRules[0].action"),
            (UNSUPPORTED, "initContainers[0].restartPolicyRules[0].exitCodes.operator"),
            (INVALID, "initContainers[0].restartPolicyRules[2].exitCodes.values[0]"),
            (REQUIRED, "initContainers[0].restartPolicyRules[1].exitCodes"),
        ),
        case(
            "too many restart rules",
            container(restartPolicy="Never", restartPolicyRules=[RULE] * 21),
            ("FieldValueTooMany", "containers[0].restartPolicyRules"),
        ),
        case("a hook that sleeps for no time", container(lifecycle={"preStop": {"sleep": {"seconds": 0}}})),
        case(
            "hooks that sleep for too long",
            container(lifecycle={"preStop": {"sleep": {"seconds": 31}}, "postStart": {"sleep": {"seconds": -1}}}),
            (INVALID, "containers[0].lifecycle.postStart.sleep.seconds"),
            (INVALID, "containers[0].lifecycle.preStop.sleep"),
        ),
        case("no handler", container(startupProbe={}), (REQUIRED, "containers[0].startupProbe")),
        case(
            "two handlers",
            container(startupProbe={**PROBE, "exec": {"command": ["x"]}}),
            (FORBIDDEN, "containers[0].startupProbe.tcpSocket"),
        ),
        case(
            "a readiness probe that ends the container",
            container(readinessProbe={**PROBE, "terminationGracePeriodSeconds": 3}),
            (INVALID, "containers[0].readinessProbe.terminationGracePeriodSeconds"),
        ),
        case(
            "hooks",
            container(lifecycle={"postStart": {}, "preStop": {"exec": {"command": ["x"]}, "tcpSocket": {"port": 1}}}),
            (REQUIRED, "containers[0].lifecycle.postStart"),
            (FORBIDDEN, "containers[0].lifecycle.preStop.tcpSocket"),
        ),
        case(
            "a path twice",
            MOUNTED | container(volumeMounts=[{"name": "v", "mountPath": "/m"}] * 2),
            (INVALID, "containers[0].volumeMounts[1].mountPath"),
        ),
        case(
            "two sub-paths",
            MOUNTED | container(volumeMounts=[{"name": "v", "mountPath": "/m", "subPath": "a", "subPathExpr": "b"}]),
            (INVALID, "containers[0].volumeMounts[0].subPathExpr"),
        ),
        case(
            "an absolute sub-path",
            MOUNTED | container(volumeMounts=[{"name": "v", "mountPath": "/m", "subPath": "/a"}]),
            (INVALID, "containers[0].volumeMounts[0].subPath"),
        ),
        case(
            "no volume",
            container(volumeMounts=[{"name": "v", "mountPath": "/m"}]),
            (MISSING, "containers[0].volumeMounts[0].name"),
        ),
        case(
            "block devices",
            {
                "volumes": [{"name": name, "persistentVolumeClaim": {"claimName": "c"}} for name in "vwx"]
                + [{"name": "e"}]
            }
            | container(
                volumeMounts=[{"name": "w", "mountPath": "/w"}],
                volumeDevices=[
                    {"name": name, "devicePath": path}
                    for name, path in (("v", "/v"), ("e", "/v"), ("w", "/../x"), ("none", "/n"), ("x", "/w"))
                ],
            ),
            (INVALID, "containers[0].volumeDevices[1].name"),
            (INVALID, "containers[0].volumeDevices[1].devicePath"),
            (INVALID, "containers[0].volumeDevices[2].devicePath"),
            (INVALID, "containers[0].volumeDevices[2].name"),
            (MISSING, "containers[0].volumeDevices[3].name"),
            (INVALID, "containers[0].volumeDevices[4].devicePath"),
            (INVALID, "containers[0].volumeMounts[0].name"),
            (INVALID, "containers[0].volumeMounts[0].mountPath"),
        ),
        case("a device without names", container(volumeDevices=[{}]), *DEVICE),
        case(
            "a field that a variable cannot have",
            container(
                env=[
                    {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}}
                    for path in ("metadata.labels", "x", "metadata.labels['a']")
                ]
            ),
            (UNSUPPORTED, "containers[0].env[0].valueFrom.fieldRef.fieldPath"),
            (INVALID, "containers[0].env[1].valueFrom.fieldRef.fieldPath"),
        ),
        case(
            "a resource that a variable cannot have",
            container(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.pods"}}}]),
            (UNSUPPORTED, "containers[0].env[0].valueFrom.resourceFieldRef.resource"),
        ),
        case(
            "files with variables",
            {
                "volumes": [{"name": "e", "emptyDir": {}}, {"name": "h", "hostPath": {"path": "/x"}}],
                **container(
                    env=[
                        {"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": volume, "path": path, "key": key}}}
                        for volume, path, key in (
                            ("e", "a/b", "K"),
                            ("h", "p", "K"),
                            ("none", "p", "K"),
                            ("e", "../p", "K"),
                            ("e", "p", "a=b"),
                            ("e", "", ""),
                        )
                    ]
                ),
            },
            (REQUIRED, "containers[0].env[5].valueFrom.fileKeyRef.path"),
            (REQUIRED, "containers[0].env[5].valueFrom.fileKeyRef.key"),
            (INVALID, "containers[0].env[1].valueFrom.fileKeyRef.volumeName"),
            (MISSING, "containers[0].env[2].valueFrom.fileKeyRef.volumeName"),
            (INVALID, "containers[0].env[3].valueFrom.fileKeyRef.path"),
            (INVALID, "containers[0].env[4].valueFrom.fileKeyRef.key"),
        ),
        # volumes
        case(
            "three sources",
            {"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}, "secret": {"secretName": "s"}}]},
            (FORBIDDEN, "volumes[0].hostPath"),
            (FORBIDDEN, "volumes[0].secret"),
        ),
        case(
            "paths of items",
            {
                "volumes": [
                    {
                        "name": "v",
                        "configMap": {
                            "name": "m",
                            "items": [{"key": "k", "path": path} for path in ("/a", "a/../b", "..a", "a/b")],
                        },
                    }
                ]
            },
            *((INVALID, f"volumes[0].configMap.items[{index}].path") for index in range(3)),
        ),
        case(
            "fields in files",
            {
                "volumes": [
                    {
                        "name": "v",
                        "downwardAPI": {
                            "items": [
                                {"path": "a", "fieldRef": {"fieldPath": "metadata.labels"}},
                                {"path": "b", "fieldRef": {"fieldPath": "metadata.annotations['x']"}},
                                {"path": "..c", "fieldRef": {"fieldPath": "spec.nodeName"}},
                                {"path": "d"},
                                {"path": "e", "resourceFieldRef": {"resource": "limits.cpu"}},
                                {"path": "f", "resourceFieldRef": {"resource": "cpu", "containerName": "c"}},
                            ]
                        },
                    }
                ]
            },
            (INVALID, "volumes[0].downwardAPI.items[2].path"),
            (UNSUPPORTED, "volumes[0].downwardAPI.items[2].fieldRef.fieldPath"),
            (REQUIRED, "volumes[0].downwardAPI.items[3]"),
            (REQUIRED, "volumes[0].downwardAPI.items[4].resourceFieldRef.containerName"),
            (UNSUPPORTED, "volumes[0].downwardAPI.items[5].resourceFieldRef.resource"),
        ),
        case(
            "divisors",
            container(
                env=[
                    {"name": "N", "valueFrom": {"resourceFieldRef": {"resource": resource, "divisor": divisor}}}
                    for resource, divisor in (
                        ("limits.cpu", "1m"),
                        ("limits.cpu", "1Mi"),
                        ("requests.memory", "1Mi"),
                        ("requests.memory", "10"),
                        ("limits.hugepages-2Mi", "1m"),
                    )
                ]
            ),
            *((INVALID, f"containers[0].env[{n}].valueFrom.resourceFieldRef.divisor") for n in (1, 3, 4)),
        ),
        case(
            "a projected volume",
            {
                "volumes": [
                    {
                        "name": "v",
                        "projected": {
                            "sources": [
                                {"secret": {"name": "s", "items": [{"key": "k", "path": "a"}]}, "configMap": {}},
                                {"configMap": {"name": "m", "items": [{"key": "k", "path": "a"}]}},
                                {"serviceAccountToken": {"path": "../t", "expirationSeconds": 5}},
                                {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.uid"}}]}},
                            ]
                        },
                    }
                ]
            },
            (INVALID, "volumes[0].projected.sources[2].serviceAccountToken.expirationSeconds"),
            (FORBIDDEN, "volumes[0].projected.sources[0].configMap"),
            (REQUIRED, "volumes[0].projected.sources[0].configMap.name"),
            (INVALID, "volumes[0].projected"),
            (INVALID, "volumes[0].projected.sources[2].serviceAccountToken.path"),
            (INVALID, "volumes[0].projected"),
        ),
        case(
            "another host port",
            {"hostNetwork": True} | container(ports=[{"containerPort": 1, "hostPort": 2}]),
            (INVALID, "containers[0].ports[0].hostPort"),
        ),
    ],
)
def test_the_causes_of_a_refusal(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert causes(spec) == expected


def test_a_template_has_no_ephemeral_containers_and_may_have_gates() -> None:
    spec = {"ephemeralContainers": [{"name": "e"}], "schedulingGates": [{"name": "g"}], **container()}
    findings = Findings()
    check_template_spec(default_pod_spec(msgspec.convert(spec, PodSpec)), "at", findings)
    assert [cause.field for cause in findings.causes] == ["at.ephemeralContainers"]


def test_a_spec_that_is_stored_is_not_checked_again() -> None:
    """A rule that a new release adds does not keep finalizers and labels of older pods from being changed."""
    spec = default_pod_spec(msgspec.convert(container() | init(livenessProbe=PROBE), PodSpec))
    findings = Findings()
    PodStrategy().check(Pod(spec=spec), Pod(spec=spec), findings, NoKeys())
    assert not findings
