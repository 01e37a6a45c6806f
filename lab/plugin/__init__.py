"""The pytest plugin `pytest-sampan`: network tests with real packets, documented in docs/pytest-sampan.md.

Loaded by `-p lab.plugin`, by `pytest_plugins = ["lab.plugin"]` in the topmost conftest, or, in a wheel, by its entry
point (group `pytest11`, `sampan = lab.plugin`). Only this package of lab imports pytest.
"""

from lab.plugin.fixtures import capture, leak_check, new_topology, probe, responder, topology, usable, workbench
from lab.plugin.hooks import (
    pytest_addoption,
    pytest_report_header,
    pytest_runtest_call,
    pytest_runtest_makereport,
    pytest_runtest_setup,
    pytest_sessionstart,
)

__all__ = [
    "capture",
    "leak_check",
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
