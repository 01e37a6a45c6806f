"""The contract of netstack.kernel.Kernel, against the real kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from netstack.kernel import HostKernel
from tests.unit.netstack.contract import Host, NetworkContract, NodeContract, RulesContract, settings


@pytest.fixture
def host(tmp_path: Path, new_namespace: Callable[[], str]) -> Host:
    where = new_namespace()
    return Host(lambda: HostKernel(where), new_namespace, settings(tmp_path), where)


class TestNetwork(NetworkContract):
    pass


class TestRules(RulesContract):
    pass


class TestNode(NodeContract):
    pass
