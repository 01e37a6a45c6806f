"""A new pod gets the priority of its priority class, or of the default class."""

from __future__ import annotations

from typing import Any

import pytest

from tests.masters import Client

CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
PODS = "/api/v1/namespaces/default/pods"


async def add_class(api: Client, name: str, value: int, **fields: Any) -> None:
    made = await api("POST", CLASSES, {"metadata": {"name": name}, "value": value, **fields})
    assert made.status == 201, made.body


async def create(api: Client, **spec: Any) -> Any:
    containers = [{"name": "app", "image": "nginx:1"}]
    return await api("POST", PODS, {"metadata": {"generateName": "p-"}, "spec": {"containers": containers, **spec}})


async def test_a_pod_gets_the_values_of_its_class(api: Client) -> None:
    await add_class(api, "high", 1000, preemptionPolicy="Never")
    for spec in ({}, {"priority": 1000}, {"preemptionPolicy": "Never"}):
        made = await create(api, priorityClassName="high", **spec)
        assert made.status == 201, made.body
        assert (made.json["spec"]["priority"], made.json["spec"]["preemptionPolicy"]) == (1000, "Never")


async def test_the_default_class_is_for_pods_that_name_none(api: Client) -> None:
    plain = await create(api)
    assert "priorityClassName" not in plain.json["spec"]
    await add_class(api, "high", 1000, globalDefault=True)
    await add_class(api, "low", -5, globalDefault=True)
    made = await create(api)
    assert (made.json["spec"]["priorityClassName"], made.json["spec"]["priority"]) == ("low", -5)
    system = await create(api, priorityClassName="system-node-critical")
    assert system.json["spec"]["priority"] == 2_000_001_000


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"priorityClassName": "none"}, "no PriorityClass with name none was found"),
        ({"priorityClassName": "high", "priority": 1}, "the integer value of priority (1) must not be provided"),
        ({"priorityClassName": "high", "preemptionPolicy": "Never"}, "the string value of PreemptionPolicy (Never)"),
    ],
)
async def test_other_values_than_those_of_the_class_are_refused(
    api: Client, spec: dict[str, Any], message: str
) -> None:
    await add_class(api, "high", 1000)
    refused = await create(api, **spec)
    assert (refused.status, refused.json["reason"]) == (403, "Forbidden")
    assert message in refused.json["message"]


async def test_a_change_of_classes_does_not_change_pods(api: Client) -> None:
    await add_class(api, "high", 1000)
    made = await create(api, priorityClassName="high")
    await api("DELETE", f"{CLASSES}/high")
    path = f"{PODS}/{made.json['metadata']['name']}"
    merge = {"Content-Type": "application/merge-patch+json"}
    changed = await api("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, headers=merge)
    assert changed.status == 200 and changed.json["spec"]["priority"] == 1000
