"""The rules of workloads: selectors, rolling updates, what an update may change, and what a status may say."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from master.api.pipeline.metadata import for_part
from master.kinds import (
    CONTROLLERREVISION,
    DAEMONSET,
    DEPLOYMENT,
    PODTEMPLATE,
    REPLICASET,
    REPLICATIONCONTROLLER,
    STATEFULSET,
    registry,
)
from master.kinds.apps.daemonset import TEMPLATE_GENERATION
from master.kinds.workload.rolling import scaled
from master.kinds.workload.template import deletion_cost
from master.objects.labelselector import matches, to_text, with_label
from master.objects.meta import LabelSelector, LabelSelectorRequirement
from master.registry.resource import Resource
from master.registry.subresource import Part
from master.schema.checks import Findings

REGISTRY = registry()
POD = {"containers": [{"name": "c", "image": "i"}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


class Keyspace:
    def holder(self, key: str) -> bytes | None:
        return None

    def taken(self, key: str) -> bool:
        return False


def completed(resource: Resource[Any], value: dict[str, Any], old: Any = None) -> Any:
    """The object as it would be stored."""
    strategy = REGISTRY.strategy(resource)
    obj = resource.schema.read(value, [])
    obj = strategy.default(resource.schema.default(obj))
    return strategy.allocate(obj, old, Keyspace())


def workload(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "w"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE, **spec}}


def causes(resource: Resource[Any], value: dict[str, Any], old: dict[str, Any] | None = None) -> set[tuple[str, str]]:
    """The reasons and fields of what is wrong with a new object, or with a change of the old one."""
    strategy = REGISTRY.strategy(resource)
    before = None if old is None else completed(resource, old)
    obj = completed(resource, value, before)
    findings = Findings()
    resource.schema.check(obj, findings)
    strategy.check(obj, before, findings, Keyspace())
    if before is not None:
        strategy.check_update(obj, before, findings)
    return {(cause.reason.removeprefix("FieldValue"), cause.field) for cause in findings.causes}


# -- selectors -----------------------------------------------------------------------------------------------------


def condition(key: str, operator: str, *values: str) -> LabelSelectorRequirement:
    return LabelSelectorRequirement(key=key, operator=operator, values=values)


@pytest.mark.parametrize(
    ("expression", "labels", "matched"),
    [
        (condition("a", "In", "1", "2"), {"a": "2"}, True),
        (condition("a", "In", "1", "2"), {"a": "3"}, False),
        (condition("a", "In", "1"), {}, False),
        (condition("a", "NotIn", "1"), {"a": "2"}, True),
        (condition("a", "NotIn", "1"), {}, True),
        (condition("a", "NotIn", "1"), {"a": "1"}, False),
        (condition("a", "Exists"), {"a": ""}, True),
        (condition("a", "Exists"), {}, False),
        (condition("a", "DoesNotExist"), {}, True),
        (condition("a", "DoesNotExist"), {"a": "1"}, False),
    ],
)
def test_expressions(expression: LabelSelectorRequirement, labels: dict[str, str], matched: bool) -> None:
    assert matches(LabelSelector(match_expressions=(expression,)), labels) is matched
    both = LabelSelector(match_labels={"b": "1"}, match_expressions=(expression,))
    assert matches(both, {**labels, "b": "1"}) is matched
    assert not matches(both, labels)


def test_no_selector_matches_nothing_and_an_empty_one_everything() -> None:
    assert not matches(None, {"a": "b"})
    assert matches(LabelSelector(), {})
    assert matches({"a": "b"}, {"a": "b", "c": "d"})


def test_a_selector_as_text() -> None:
    selector = LabelSelector(
        match_labels={"b": "1"},
        match_expressions=(
            condition("a", "In", "y", "x"),
            condition("d", "NotIn", "z"),
            condition("e", "Exists"),
            condition("c", "DoesNotExist"),
        ),
    )
    assert to_text(selector) == "a in (x,y),b=1,!c,d notin (z),e"
    assert (to_text({"b": "2", "a": "1"}), to_text(None), to_text(LabelSelector())) == ("a=1,b=2", "", "")
    assert with_label(selector, "h", "1").match_labels == {"b": "1", "h": "1"}


LABELS = ("Invalid", "spec.template.metadata.labels")


@pytest.mark.parametrize("resource", [DEPLOYMENT, REPLICASET, STATEFULSET, DAEMONSET], ids=lambda kind: kind.kind)
@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param({"matchLabels": {"a": "b"}}, set(), id="right"),
        pytest.param({"matchLabels": {"a": "c"}}, {LABELS}, id="another label"),
        pytest.param({}, {("Invalid", "spec.selector")}, id="empty"),
        pytest.param(
            {"matchExpressions": [{"key": "a", "operator": "In"}]},
            {("Required", "spec.selector.matchExpressions[0].values"), ("Invalid", "spec.selector")},
            id="no values",
        ),
        pytest.param(
            {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]},
            {("Forbidden", "spec.selector.matchExpressions[0].values"), ("Invalid", "spec.selector")},
            id="values that are not used",
        ),
        pytest.param(
            {"matchExpressions": [{"key": "a", "operator": "Like"}]},
            {("Invalid", "spec.selector.matchExpressions[0].operator"), ("Invalid", "spec.selector")},
            id="an unknown operator",
        ),
    ],
)
def test_the_selector_must_match_the_template(
    resource: Resource[Any], selector: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    if resource is DAEMONSET:
        # Kubernetes reports a selector that cannot be evaluated once for this kind.
        expected = expected - ({("Invalid", "spec.selector")} if selector else set())
    assert causes(resource, workload(selector=selector)) == expected


@pytest.mark.parametrize("resource", [DEPLOYMENT, REPLICASET, STATEFULSET, DAEMONSET], ids=lambda kind: kind.kind)
def test_the_selector_stays(resource: Resource[Any]) -> None:
    changed = workload(selector={"matchExpressions": [{"key": "a", "operator": "Exists"}]})
    assert causes(resource, changed, old=workload()) == {("Invalid", "spec.selector")}


# -- templates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", [DEPLOYMENT, REPLICASET, STATEFULSET, DAEMONSET], ids=lambda kind: kind.kind)
def test_the_pods_of_a_lasting_workload_do_not_end(resource: Resource[Any]) -> None:
    template = {**TEMPLATE, "spec": {**POD, "restartPolicy": "OnFailure", "activeDeadlineSeconds": 5}}
    assert causes(resource, workload(template=template)) == {
        ("NotSupported", "spec.template.spec.restartPolicy"),
        ("Forbidden", "spec.template.spec.activeDeadlineSeconds"),
    }


def test_the_path_of_a_bad_label_of_a_template_is_that_of_kubernetes() -> None:
    template = {"metadata": {"labels": {"a": "b", "x y": "z"}}, "spec": POD}
    assert causes(DEPLOYMENT, workload(template=template)) == {("Invalid", "spec.template.labels")}
    assert causes(PODTEMPLATE, {"template": template}) == {("Invalid", "template.labels")}


@pytest.mark.parametrize(
    ("text", "cost"),
    [("0", 0), ("-5", -5), ("2147483647", 2147483647), ("-2147483648", -2147483648)]
    + [(text, None) for text in ("", "+1", "01", "1.5", "x", "2147483648", "-2147483649", "9" * 30, " 1", "-")],
)
def test_the_cost_of_a_deletion(text: str, cost: int | None) -> None:
    assert deletion_cost(text) == cost


# -- rolling updates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "up", "down"), [(3, 3, 3), ("25%", 3, 2), ("0%", 0, 0), ("100%", 10, 10), (None, 0, 0), ("x", 0, 0)]
)
def test_numbers_and_percentages_of_pods(value: int | str | None, up: int, down: int) -> None:
    assert (scaled(value, 10, round_up=True), scaled(value, 10, round_up=False)) == (up, down)


AT = "spec.strategy.rollingUpdate"


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "150%"}}, set()),
        ({"rollingUpdate": {"maxUnavailable": "150%"}}, {("Invalid", f"{AT}.maxUnavailable")}),
        ({"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}, {("Invalid", f"{AT}.maxUnavailable")}),
        ({"rollingUpdate": {"maxUnavailable": "0%", "maxSurge": "0%"}}, {("Invalid", f"{AT}.maxUnavailable")}),
        ({"rollingUpdate": {"maxSurge": "many"}}, {("Invalid", f"{AT}.maxSurge")}),
        ({"rollingUpdate": {"maxSurge": -1}}, {("Invalid", f"{AT}.maxSurge")}),
        ({"type": "Recreate", "rollingUpdate": {}}, {("Forbidden", AT)}),
        ({"type": "Slowly"}, {("NotSupported", "spec.strategy")}),
    ],
)
def test_the_strategy_of_a_deployment(strategy: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert causes(DEPLOYMENT, workload(strategy=strategy)) == expected


@pytest.mark.parametrize(
    ("resource", "strategy", "expected"),
    [
        (DAEMONSET, {"type": "OnDelete"}, set()),
        (DAEMONSET, {"type": "Recreate"}, {("NotSupported", "spec.updateStrategy")}),
        (DAEMONSET, {"rollingUpdate": {"maxSurge": 1}}, {("Invalid", "spec.updateStrategy.rollingUpdate.maxSurge")}),
        (DAEMONSET, {"rollingUpdate": {"maxSurge": "10%", "maxUnavailable": 0}}, set()),
        (
            DAEMONSET,
            {"rollingUpdate": {"maxUnavailable": 0}},
            {("Required", "spec.updateStrategy.rollingUpdate.maxUnavailable")},
        ),
        (STATEFULSET, {"type": "Recreate"}, {("Invalid", "spec.updateStrategy")}),
        (STATEFULSET, {"type": "OnDelete", "rollingUpdate": {}}, {("Invalid", "spec.updateStrategy.rollingUpdate")}),
        (
            STATEFULSET,
            {"rollingUpdate": {"maxUnavailable": 0}},
            {("Invalid", "spec.updateStrategy.rollingUpdate.maxUnavailable")},
        ),
    ],
)
def test_update_strategies(resource: Resource[Any], strategy: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert causes(resource, workload(updateStrategy=strategy)) == expected


def test_the_deadline_of_a_rollout_is_longer_than_pods_must_be_ready() -> None:
    late = workload(minReadySeconds=600)
    assert causes(DEPLOYMENT, late) == {("Invalid", "spec.progressDeadlineSeconds")}
    assert causes(DEPLOYMENT, workload(minReadySeconds=599)) == set()


# -- stateful sets -------------------------------------------------------------------------------------------------


def test_a_stateful_set_may_mount_its_claims() -> None:
    mounts = {"name": "c", "image": "i", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    template = {**TEMPLATE, "spec": {"containers": [mounts]}}
    assert causes(STATEFULSET, workload(template=template, volumeClaimTemplates=[CLAIM])) == set()
    missing = ("NotFound", "spec.template.spec.containers[0].volumeMounts[0].name")
    assert causes(STATEFULSET, workload(template=template)) == {missing}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"accessModes": []}, {("Required", "accessModes")}, id="no mode"),
        pytest.param({"accessModes": ["Some"]}, {("NotSupported", "accessModes")}, id="an unknown mode"),
        pytest.param(
            {"accessModes": ["ReadWriteOnce", "ReadWriteOncePod"]}, {("Forbidden", "accessModes")}, id="both modes"
        ),
        pytest.param({"resources": {}}, {("Required", "resources[storage]")}, id="no size"),
        pytest.param({"resources": {"requests": {"storage": "0"}}}, {("Invalid", "resources[storage]")}, id="size 0"),
        pytest.param({"storageClassName": "A b"}, {("Invalid", "storageClassName")}, id="a bad class"),
        pytest.param({"dataSource": {"kind": "Pod", "name": "x"}}, {("Invalid", "dataSource")}, id="a bad source"),
    ],
)
def test_the_claims_of_a_stateful_set(spec: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    claim = {**CLAIM, "spec": {**CLAIM["spec"], **spec}}  # type: ignore[dict-item]
    at = "spec.volumeClaimTemplates[0].spec"
    found = causes(STATEFULSET, workload(volumeClaimTemplates=[claim]))
    assert found == {(reason, f"{at}.{field}") for reason, field in expected}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"serviceName": "other"}, "spec.serviceName"),
        ({"podManagementPolicy": "Parallel"}, "spec.podManagementPolicy"),
        ({"volumeClaimTemplates": [CLAIM]}, "spec.volumeClaimTemplates"),
        ({"replicas": 5, "minReadySeconds": 3, "ordinals": {"start": 1}}, None),
        ({"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}, None),
        ({"updateStrategy": {"type": "OnDelete"}, "revisionHistoryLimit": 1}, None),
    ],
)
def test_what_an_update_of_a_stateful_set_may_change(change: dict[str, Any], field: str | None) -> None:
    expected = {("Invalid", field)} if field else set()
    assert causes(STATEFULSET, workload(**change), old=workload()) == expected


# -- generations, status, and other kinds ---------------------------------------------------------------------------


def test_the_server_counts_the_templates_of_a_daemon_set() -> None:
    old = completed(DAEMONSET, workload())
    assert old.metadata.annotations == {TEMPLATE_GENERATION: "1"}
    same = completed(DAEMONSET, workload(minReadySeconds=5), old)
    assert same.metadata.annotations == {TEMPLATE_GENERATION: "1"}
    template = {**TEMPLATE, "spec": {**POD, "nodeName": "n"}}
    assert completed(DAEMONSET, workload(template=template), old).metadata.annotations == {TEMPLATE_GENERATION: "2"}


def test_annotations_move_the_generation_of_a_deployment_only() -> None:
    for resource, moves in ((DEPLOYMENT, True), (REPLICASET, False)):
        old = completed(resource, workload())
        new = replace(old, metadata=replace(old.metadata, annotations={"a": "b"}))
        assert REGISTRY.strategy(resource).moves_generation(new, old) is moves


@pytest.mark.parametrize(
    ("resource", "status", "fields"),
    [
        (DEPLOYMENT, {"replicas": 2, "readyReplicas": 2, "availableReplicas": 1, "updatedReplicas": 2}, []),
        (DEPLOYMENT, {"replicas": 1, "updatedReplicas": 2}, ["updatedReplicas"]),
        (REPLICASET, {"replicas": 2, "readyReplicas": 1, "availableReplicas": 2}, ["availableReplicas"]),
        (REPLICATIONCONTROLLER, {"replicas": 1, "fullyLabeledReplicas": 2}, ["fullyLabeledReplicas"]),
        (STATEFULSET, {"replicas": 1, "currentReplicas": 2}, ["currentReplicas"]),
    ],
)
def test_no_number_in_a_status_is_larger_than_the_one_that_includes_it(
    resource: Resource[Any], status: dict[str, Any], fields: list[str]
) -> None:
    part = resource.subresource("status")
    assert isinstance(part, Part) and part.check is not None
    value = workload() if resource is not REPLICATIONCONTROLLER else {"spec": {"template": TEMPLATE}}
    old = completed(resource, value)
    new = part.take(resource.schema.read({**value, "status": status}, []), old)
    findings = Findings()
    part.check(new, old, findings)
    assert [cause.field for cause in findings.causes] == [f"status.{field}" for field in fields]
    assert new.spec == old.spec


def test_a_write_of_the_status_changes_annotations_and_of_most_kinds_labels() -> None:
    changed = {"metadata": {"name": "w", "labels": {"l": "1"}, "annotations": {"a": "1"}}, "status": {}}
    for resource, labels in ((DEPLOYMENT, {}), (REPLICASET, {"l": "1"})):
        part = resource.subresource("status")
        assert isinstance(part, Part)
        new = resource.schema.read(changed, []).metadata
        meta = for_part(new, completed(resource, workload()).metadata, part.metadata)
        assert (meta.annotations, meta.labels) == ({"a": "1"}, labels)


@pytest.mark.parametrize(
    ("data", "expected"),
    [({"a": 1}, set()), ([], {("Required", "data")}), ("x", {("Required", "data")}), (None, {("Required", "data")})],
)
def test_the_data_of_a_revision_is_an_object(data: Any, expected: set[tuple[str, str]]) -> None:
    assert causes(CONTROLLERREVISION, {"data": data, "revision": 1}) == expected


def test_the_data_of_a_revision_stays() -> None:
    old = {"data": {"a": 1}, "revision": 1}
    assert causes(CONTROLLERREVISION, {"data": {"a": 2}, "revision": 1}, old) == {("Invalid", "data")}
    assert causes(CONTROLLERREVISION, {"data": {"a": 1}, "revision": 2}, old) == set()
