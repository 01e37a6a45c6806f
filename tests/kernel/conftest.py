"""Fixtures of the kernel tier: throw-away namespaces, and a check that none is left."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from netstack import namespaces
from tests.kernel.topology import RUN, Cluster, cluster

VARIANTS = ["legacy", "nft"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.kernel)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture(autouse=True)
def no_namespace_left() -> Iterator[None]:
    """Only names of this run: others make namespaces meanwhile."""
    yield
    assert [name for name in namespaces.names() if name.startswith(f"{RUN}-")] == []


@pytest.fixture
def namespace() -> Iterator[Callable[[], str]]:
    """Makes namespaces that are gone after the test."""
    with ExitStack() as stack:

        def make() -> str:
            name = f"{RUN}-{uuid.uuid4().hex[:6]}"
            namespaces.create(name)
            stack.callback(namespaces.delete, name)
            return name

        yield make


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pair(tmp_path: Path, variant: str) -> Iterator[Cluster]:
    """Two nodes, a and b, with either variant of iptables."""
    with cluster(tmp_path, "ab", variant) as made:
        yield made


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Cluster]:
    """Three nodes with legacy iptables."""
    with cluster(tmp_path, "abc", "legacy") as made:
        yield made
