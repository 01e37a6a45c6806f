"""The pytest plugin `pytest-sampan`: network tests with real packets, documented in docs/pytest-sampan.md.

Loaded by `-p lab.plugin`, by `pytest_plugins = ["lab.plugin"]` in the topmost conftest, or, in a wheel, by its entry
point (group `pytest11`, `sampan = lab.plugin`). Only this package of lab imports pytest.
"""

from lab.plugin.cluster.fixtures import (
    api,
    apply,
    cluster,
    cluster_leak_check,
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
from lab.plugin.fixtures import (
    capture,
    leak_check,
    module_workbench,
    new_topology,
    probe,
    responder,
    topology,
    usable,
    workbench,
)
from lab.plugin.hooks import (
    pytest_addoption,
    pytest_report_header,
    pytest_runtest_call,
    pytest_runtest_makereport,
    pytest_runtest_setup,
    pytest_sessionstart,
)

__all__ = [
    "api",
    "apply",
    "capture",
    "cluster",
    "cluster_leak_check",
    "faults",
    "faults_on",
    "fresh_cluster",
    "kubectl",
    "kubectl_binary",
    "kubectl_for",
    "leak_check",
    "module_workbench",
    "namespace",
    "new_topology",
    "probe",
    "pytest_addoption",
    "pytest_report_header",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_sessionstart",
    "responder",
    "sampan_command",
    "topology",
    "usable",
    "wait_ready",
    "workbench",
    "workload",
    "workload_on",
]
