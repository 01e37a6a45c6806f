"""Tests that start servers, TLS or subprocesses; the parts that they share."""

from tests.masters import pki  # noqa: F401 - a fixture
from tests.unit.conftest import logging_as_found  # noqa: F401 - a fixture
