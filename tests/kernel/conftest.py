"""Fixtures of the kernel tier, on top of the plugin's: empty namespaces, and clusters of two and three nodes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest

from netrig.plugin.fixtures import MakeProber, MakeResponder
from netrig.topology import Topology
from tests.kernel.topology import Cluster, Prepare, cluster

VARIANTS = ["legacy", "nft"]


class MakeCluster(Protocol):
    def __call__(self, names: str, variant: str | None, **preparations: Prepare) -> AbstractContextManager[Cluster]: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    directory = Path(__file__).parent
    for item in items:
        if directory in item.path.parents:
            item.add_marker(pytest.mark.kernel)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture
def new_namespace(new_topology: Callable[[], Topology]) -> Callable[[], str]:
    """Creates empty namespaces."""
    net, numbers = new_topology(), count(1)

    def make() -> str:
        host = net.host(f"n{next(numbers)}")
        net.start()
        return host.where

    return make


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def new_cluster(topology: Topology, probe: MakeProber, responder: MakeResponder, tmp_path: Path) -> MakeCluster:
    """`with new_cluster("ab", "nft") as made`: two nodes. Without a variant they choose one themselves."""

    def make(names: str, variant: str | None, **preparations: Prepare) -> AbstractContextManager[Cluster]:
        return cluster(topology, probe, responder, directory=tmp_path, names=names, variant=variant, **preparations)

    return make


@pytest.fixture
def pair(new_cluster: MakeCluster, variant: str) -> Iterator[Cluster]:
    """Two nodes, a and b, with each variant of iptables in turn."""
    with new_cluster("ab", variant) as made:
        yield made


@pytest.fixture
def trio(new_cluster: MakeCluster) -> Iterator[Cluster]:
    """Three nodes with legacy iptables."""
    with new_cluster("abc", "legacy") as made:
        yield made
