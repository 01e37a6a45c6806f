"""What an update may change in a pod, its quality-of-service class, and the classes that it may name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from master.api.errors import Forbidden, Invalid
from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds import POD
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.pod.qos import qos_class
from master.kinds.core.pod.updates import check_spec_update
from master.objects.meta import ObjectMeta
from master.schema.checks import Findings

INVALID, FORBIDDEN = "FieldValueInvalid", "FieldValueForbidden"
EXISTS = {"key": "a", "operator": "Exists", "effect": "NoExecute"}
ZONE = {"key": "zone", "operator": "In", "values": ["a"]}
DISK = {"key": "disk", "operator": "Exists"}
GATE = [{"name": "g"}]


def spec_of(fields: dict[str, Any]) -> PodSpec:
    """A spec without a token, which a new pod would get and an update must keep."""
    fields = {"automountServiceAccountToken": False, **fields}
    return msgspec.convert({"containers": [{"name": "c", "image": "i"}], **fields}, PodSpec)


async def update(resources: Resources, me: Caller, before: dict[str, Any], after: dict[str, Any]) -> Pod:
    await resources.create(me, POD, Pod(metadata=ObjectMeta(name="p"), spec=spec_of(before)), namespace="default")
    changed = Pod(metadata=ObjectMeta(name="p", namespace="default"), spec=spec_of(after))
    return await resources.update(me, POD, changed)


def terms(*expressions: list[dict[str, Any]], preferred: int = 0) -> dict[str, Any]:
    required = {"nodeSelectorTerms": [{"matchExpressions": listed} for listed in expressions]}
    affinity: dict[str, Any] = {"requiredDuringSchedulingIgnoredDuringExecution": required}
    if preferred:
        preference = {"weight": preferred, "preference": {"matchExpressions": [DISK]}}
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = [preference]
    return {"affinity": {"nodeAffinity": affinity}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({}, {"activeDeadlineSeconds": 9}, id="a deadline is set"),
        pytest.param({"activeDeadlineSeconds": 9}, {"activeDeadlineSeconds": 8}, id="a deadline is shortened"),
        pytest.param({}, {"tolerations": [EXISTS]}, id="a toleration is added"),
        pytest.param(
            {"tolerations": [{**EXISTS, "tolerationSeconds": 5}]},
            {"tolerations": [{"key": "b", "operator": "Exists"}, {**EXISTS, "tolerationSeconds": 50}]},
            id="the seconds of a toleration",
        ),
        pytest.param(
            {"tolerations": [{**EXISTS, "tolerationSeconds": 5}]}, {"tolerations": [EXISTS]}, id="seconds are removed"
        ),
        pytest.param({"schedulingGates": [*GATE, {"name": "h"}]}, {"schedulingGates": [{"name": "h"}]}, id="a gate"),
        pytest.param({"schedulingGates": GATE}, {}, id="the last gate is removed"),
        pytest.param(
            {"schedulingGates": GATE, "nodeSelector": {"a": "b"}},
            {"schedulingGates": GATE, "nodeSelector": {"a": "b", "c": "d"}},
            id="a label, while the pod has gates",
        ),
        pytest.param({"schedulingGates": GATE}, terms([ZONE]), id="an affinity, with the last gate"),
        pytest.param(
            {"schedulingGates": GATE, **terms([ZONE], preferred=1)},
            {"schedulingGates": GATE, **terms([ZONE, DISK], preferred=2)},
            id="an expression and a preference",
        ),
        pytest.param(
            {"initContainers": [{"name": "s", "image": "i"}]},
            {"initContainers": [{"name": "s", "image": "j"}]},
            id="images",
        ),
    ],
)
async def test_what_may_change(resources: Resources, me: Caller, before: dict[str, Any], after: dict[str, Any]) -> None:
    changed = await update(resources, me, before, after)
    kept = await resources.update(me, POD, replace(changed, metadata=replace(changed.metadata, resource_version="")))
    assert kept == changed and changed.metadata.generation == 2


@pytest.mark.parametrize(
    ("before", "after", "cause"),
    [
        pytest.param({"activeDeadlineSeconds": 9}, {}, (INVALID, "activeDeadlineSeconds"), id="no deadline"),
        pytest.param(
            {"activeDeadlineSeconds": 9}, {"activeDeadlineSeconds": 10}, (INVALID, "activeDeadlineSeconds"), id="later"
        ),
        pytest.param({"tolerations": [EXISTS]}, {}, (FORBIDDEN, "tolerations"), id="a toleration is removed"),
        pytest.param(
            {"tolerations": [EXISTS]},
            {"tolerations": [{**EXISTS, "effect": ""}]},
            (FORBIDDEN, "tolerations"),
            id="a toleration is changed",
        ),
        pytest.param(
            {"schedulingGates": GATE},
            {"schedulingGates": [*GATE, {"name": "h"}]},
            (FORBIDDEN, "schedulingGates[1].name"),
            id="another gate",
        ),
        pytest.param({}, {"schedulingGates": GATE}, (FORBIDDEN, "schedulingGates[0].name"), id="a first gate"),
        pytest.param({}, {"nodeSelector": {"a": "b"}}, (FORBIDDEN, ""), id="a selector without gates"),
        pytest.param(
            {"schedulingGates": GATE, "nodeSelector": {"a": "b"}},
            {"schedulingGates": GATE, "nodeSelector": {"a": "c"}},
            (INVALID, "nodeSelector"),
            id="another label",
        ),
        pytest.param(
            {"schedulingGates": GATE, **terms([ZONE])},
            {"schedulingGates": GATE, **terms([ZONE], [DISK])},
            (INVALID, terms.__name__),
            id="another term",
        ),
        pytest.param(
            {"schedulingGates": GATE, **terms([ZONE])},
            {"schedulingGates": GATE, **terms([DISK])},
            (INVALID, f"{terms.__name__}[0]"),
            id="another expression",
        ),
        pytest.param(
            {"schedulingGates": GATE}, {"schedulingGates": GATE, "hostname": "h"}, (FORBIDDEN, ""), id="a name"
        ),
        pytest.param({}, {"terminationGracePeriodSeconds": 1}, (FORBIDDEN, ""), id="the grace period"),
        pytest.param(
            {}, {"initContainers": [{"name": "s", "image": "i"}]}, (FORBIDDEN, "initContainers"), id="a container"
        ),
    ],
)
async def test_what_may_not_change(
    resources: Resources, me: Caller, before: dict[str, Any], after: dict[str, Any], cause: tuple[str, str]
) -> None:
    with pytest.raises(Invalid) as refused:
        await update(resources, me, before, after)
    required = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    field = f"spec.{cause[1].replace(terms.__name__, required)}".rstrip(".")
    assert [(found.reason, found.field) for found in refused.value.causes] == [(cause[0], field)]


def test_a_negative_grace_period_may_become_1() -> None:
    """Older servers of Kubernetes accepted negative periods."""
    old, new = (spec_of({"terminationGracePeriodSeconds": seconds}) for seconds in (-1, 1))
    findings = Findings()
    check_spec_update(new, old, findings)
    assert not findings


# -- classes -------------------------------------------------------------------------------------------------------


def resource_lists(*containers: tuple[dict[str, str], dict[str, str]]) -> list[dict[str, Any]]:
    return [
        {"name": f"c{index}", "resources": {"requests": requests, "limits": limits}}
        for index, (requests, limits) in enumerate(containers)
    ]


BOTH = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("containers", "inits", "expected"),
    [
        pytest.param([({}, {})], [], "BestEffort", id="nothing"),
        pytest.param(
            [({"ephemeral-storage": "1Gi", "cpu": "0"}, {"example.com/gpu": "1"})],
            [],
            "BestEffort",
            id="others and zero",
        ),
        pytest.param([(BOTH, BOTH)], [], "Guaranteed", id="equal"),
        pytest.param([({"cpu": "1000m", "memory": "1024Mi"}, BOTH)], [], "Guaranteed", id="equal values"),
        pytest.param([(BOTH, {**BOTH, "example.com/gpu": "1"})], [], "Guaranteed", id="equal, beside others"),
        pytest.param([({"cpu": "1"}, {})], [], "Burstable", id="a request"),
        pytest.param([({}, {"memory": "1"})], [], "Burstable", id="a limit"),
        pytest.param([(BOTH, {"cpu": "1"})], [], "Burstable", id="one limit"),
        pytest.param([(BOTH, BOTH), ({}, {})], [], "Burstable", id="a container without"),
        pytest.param([(BOTH, BOTH)], [({}, {})], "Burstable", id="an init container without"),
        pytest.param([({}, {})], [({"cpu": "1"}, {})], "Burstable", id="a request of an init container"),
        pytest.param([(BOTH, {"cpu": "2", "memory": "1Gi"})], [], "Burstable", id="less than the limit"),
        pytest.param([({"memory": "1Gi"}, BOTH)], [], "Burstable", id="no request, before defaults"),
    ],
)
def test_the_class_of_service(containers: Any, inits: Any, expected: str) -> None:
    fields = {"containers": resource_lists(*containers), "initContainers": resource_lists(*inits)}
    assert qos_class(spec_of(fields)) == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"runtimeClassName": "kata"}, 'pods "p" is forbidden: pod rejected: RuntimeClass "kata" not found'),
        ({"priorityClassName": "high"}, 'pods "p" is forbidden: no PriorityClass with name high was found'),
        ({"priorityClassName": "system-node-critical", "priority": 5}, "2000001000"),
    ],
)
async def test_a_class_must_exist(resources: Resources, me: Caller, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(Forbidden) as refused:
        await resources.create(me, POD, Pod(metadata=ObjectMeta(name="p"), spec=spec_of(fields)), namespace="default")
    assert message in refused.value.message
    assert (refused.value.kind, refused.value.name) == ("pods", "p")


@pytest.mark.parametrize(
    ("name", "priority"), [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)]
)
async def test_the_built_in_classes(resources: Resources, me: Caller, name: str, priority: int) -> None:
    pod = Pod(metadata=ObjectMeta(name="p"), spec=spec_of({"priorityClassName": name}))
    made = await resources.create(me, POD, pod, namespace="default")
    assert made.spec.priority == priority
