"""The contract of netstack.kernel.Kernel, against the fake."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from netstack.fake import HOST, FakeKernel
from tests.unit.netstack.contract import Host, NetworkContract, NodeContract, RulesContract, settings


@pytest.fixture
def host(tmp_path: Path) -> Host:
    kernel = FakeKernel()
    numbers = itertools.count(1)

    def namespace() -> str:
        name = f"pod-{next(numbers)}"
        kernel.add_namespace(name)
        return name

    return Host(lambda: kernel, namespace, settings(tmp_path), HOST)


class TestNetwork(NetworkContract):
    pass


class TestRules(RulesContract):
    pass


class TestNode(NodeContract):
    pass
