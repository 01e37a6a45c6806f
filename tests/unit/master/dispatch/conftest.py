"""A master's session port, a node that keeps to the contract, and a peer that need not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from master.api import kinds
from master.api.kinds.container import Container
from master.api.kinds.pod import Pod, PodSpec
from master.objects.meta import ObjectMeta
from master.pki import Pki
from tests.fakes.hostile import Bystander, RawPeer, bystander, revisions
from tests.fakes.sessions import CALLER, MasterEnd, master_end, prepare_pki


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return prepare_pki(tmp_path_factory.mktemp("master"))


@pytest_asyncio.fixture
async def master(pki: Pki) -> AsyncIterator[MasterEnd]:
    async with master_end(pki) as end:
        yield end


@pytest_asyncio.fixture
async def other(master: MasterEnd, tmp_path: Path) -> AsyncIterator[Bystander]:
    async with bystander(master, tmp_path) as found:
        yield found


@pytest_asyncio.fixture
async def peer(master: MasterEnd, other: Bystander) -> AsyncIterator[RawPeer]:
    """A node `hostile` with a pod `web`, the other node with a pod `theirs`."""
    for name, node in (("web", "hostile"), ("theirs", "bystander")):
        pod = Pod(
            metadata=ObjectMeta(name=name, namespace="default"),
            spec=PodSpec(containers=(Container(name="app", image="app:1"),), node_name=node),
        )
        await master.resources.create(CALLER, kinds.POD, pod, namespace="default")
    async with RawPeer(await master.identity("hostile")) as found:
        other.objects = revisions(master)
        yield found
