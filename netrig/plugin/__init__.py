"""The pytest plugin for network tests: topologies, probes, responders and captures as fixtures, and `eventually`.

docs/pytest-sampan.md describes it. The fixtures for clusters are in `lab.plugin`. Only this package of netrig imports
pytest.
"""

from netrig.plugin.fixtures import (
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
from netrig.plugin.hooks import (
    pytest_addoption,
    pytest_report_header,
    pytest_runtest_call,
    pytest_runtest_makereport,
    pytest_runtest_setup,
    pytest_sessionstart,
)
from netrig.plugin.waiting import eventually

__all__ = [
    "capture",
    "eventually",
    "leak_check",
    "module_workbench",
    "new_topology",
    "probe",
    "pytest_addoption",
    "pytest_report_header",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_sessionstart",
    "responder",
    "topology",
    "usable",
    "workbench",
]
