"""The syntax of names and resources is that of Kubernetes 1.37."""

from __future__ import annotations

import pytest

from master.schema.checks import Findings
from master.schema.names import config_map_key, env_var_name
from master.schema.resourcenames import (
    container_resource_name,
    container_resources,
    quota_resource_name,
    resource_amount,
    resource_name,
)

LONG = "a" * 63


@pytest.mark.parametrize("name", ["A", "_", "my.env-name", "1A", "a b", "~!/", ".", "..", "-"])
def test_names_of_environment_variables(name: str) -> None:
    assert env_var_name(name) == ""


@pytest.mark.parametrize("name", ["", "a=b", "=", "é", "a\n", "a\t", "\x7f"])
def test_what_cannot_be_the_name_of_an_environment_variable(name: str) -> None:
    assert env_var_name(name)


@pytest.mark.parametrize(("key", "good"), [("a", True), ("A_b-c.d", True), (".a", True), ("-", True), ("a..", True)])
def test_keys_of_configmaps(key: str, good: bool) -> None:
    assert (config_map_key(key) == "") is good


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "a valid config key must consist of"),
        ("a/b", "a valid config key must consist of"),
        ("é", "a valid config key must consist of"),
        ("a\n", "a valid config key must consist of"),
        (".", "must not be '.'"),
        ("..", "must not be '..'"),
        ("..a", "must not start with '..'"),
        ("a" * 254, "must be no more than 253 characters"),
    ],
)
def test_what_cannot_be_a_key_of_a_configmap(key: str, why: str) -> None:
    assert config_map_key(key).startswith(why)


@pytest.mark.parametrize(
    ("name", "anywhere", "in_containers", "in_quotas"),
    [
        ("cpu", True, True, True),
        ("memory", True, True, True),
        ("ephemeral-storage", True, True, True),
        ("storage", True, False, False),
        ("requests.storage", True, False, True),
        ("pods", True, False, True),
        ("requests.cpu", True, False, True),
        ("limits.memory", True, False, True),
        ("services.nodeports", True, False, True),
        ("hugepages-2Mi", True, True, True),
        ("hugepages-x", True, True, True),
        ("requests.hugepages-2Mi", True, False, True),
        ("example.com/gpu", True, True, True),
        (f"example.com/{LONG}", True, True, True),
        ("x.kubernetes.io/batch", True, True, True),
        ("requests.example.com/gpu", True, False, True),
        # The prefix requests. has to fit too.
        (f"{'a' * 240}.b/x", True, True, True),
        (f"{'a' * 250}.b/x", True, False, True),
        ("foo", False, False, False),
        ("Cpu", False, False, False),
        ("attachable-volumes-x", False, False, False),
        ("hugepages-", False, False, False),
        ("", False, False, False),
        ("a/b/c", False, False, False),
        ("/x", False, False, False),
        ("x/", False, False, False),
        ("Example.com/x", False, False, False),
        ("c pu", False, False, False),
    ],
)
def test_names_of_resources(name: str, anywhere: bool, in_containers: bool, in_quotas: bool) -> None:
    assert (resource_name(name) == "") is anywhere
    assert (container_resource_name(name) == "") is in_containers
    assert (quota_resource_name(name) == "") is in_quotas


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("cpu", "0.5", ""),
        ("memory", "1500m", ""),
        ("example.com/gpu", "2", ""),
        ("example.com/gpu", "2000m", ""),
        ("example.com/gpu", "500m", "must be an integer"),
        ("example.com/gpu", "1n", "must be an integer"),
        ("x.kubernetes.io/batch", "500m", ""),
        ("pods", "1500m", "must be an integer"),
        ("hugepages-2Mi", "4Mi", ""),
        ("hugepages-2Mi", "0", ""),
        ("hugepages-2Mi", "3Mi", "3Mi is not positive integer multiple of hugepages-2Mi"),
        ("hugepages-x", "1", "1 is not positive integer multiple of hugepages-x"),
        ("hugepages-0", "1", "1 is not positive integer multiple of hugepages-0"),
    ],
)
def test_amounts_of_resources(name: str, text: str, why: str) -> None:
    assert resource_amount(name, text) == why


@pytest.mark.parametrize(
    ("requests", "limits", "causes"),
    [
        ({"cpu": "1", "memory": "1Gi"}, {"cpu": "1000m"}, []),
        (
            {"cpu": "2"},
            {"cpu": "1"},
            [("r.requests", 'Invalid value: "2": must be less than or equal to cpu limit of 1')],
        ),
        ({}, {"example.com/gpu": "1"}, []),
        ({"example.com/gpu": "1"}, {"example.com/gpu": "1"}, []),
        (
            {"example.com/gpu": "1"},
            {"example.com/gpu": "2"},
            [("r.requests", 'Invalid value: "1": must be equal to example.com/gpu limit of 2')],
        ),
        (
            {"example.com/gpu": "1"},
            {},
            [("r.limits", "Required value: Limit must be set for non overcommitable resources")],
        ),
        (
            {"foo": "1"},
            {"pods": "1"},
            [
                ("r.limits[pods]", 'Invalid value: "pods": must be a standard resource for containers'),
                ("r.requests[foo]", 'Invalid value: "foo": must be a standard resource type or fully qualified'),
            ],
        ),
        ({}, {"hugepages-2Mi": "2Mi"}, [("r", "Forbidden: HugePages require cpu or memory")]),
        ({"cpu": "1", "hugepages-2Mi": "2Mi"}, {"hugepages-2Mi": "2Mi"}, []),
        # The model reports these.
        ({"cpu": "x", "example.com/gpu": "-1"}, {"cpu": "1", "example.com/gpu": "1"}, []),
    ],
)
def test_resources_of_a_container(
    requests: dict[str, str], limits: dict[str, str], causes: list[tuple[str, str]]
) -> None:
    findings = Findings()
    container_resources(findings, "r", requests, limits)
    assert [(cause.field, cause.message) for cause in findings.causes] == causes
