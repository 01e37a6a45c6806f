"""The cluster fixtures of the pytest plugin, on top of netrig.plugin. docs/pytest-sampan.md describes them."""

from lab.plugin.fixtures import (
    api,
    apply,
    cluster,
    cluster_leak_check,
    cluster_pool,
    faults,
    faults_on,
    fresh_cluster,
    kubectl,
    kubectl_binary,
    kubectl_for,
    namespace,
    sampan_command,
    wait_ready,
    workload,
    workload_on,
)
from lab.plugin.hooks import pytest_addoption, pytest_runtest_makereport, pytest_sessionstart

__all__ = [
    "api",
    "apply",
    "cluster",
    "cluster_leak_check",
    "cluster_pool",
    "faults",
    "faults_on",
    "fresh_cluster",
    "kubectl",
    "kubectl_binary",
    "kubectl_for",
    "namespace",
    "pytest_addoption",
    "pytest_runtest_makereport",
    "pytest_sessionstart",
    "sampan_command",
    "wait_ready",
    "workload",
    "workload_on",
]
