"""A host to install on, and the world in which hosts join and leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from agent import departure
from host.layout import HostLayout
from host.source import Source
from master.api.server import ApiServer
from master.config import MasterConfig
from master.pki import Pki
from tests.fakes.host import Fake, fresh, source_of
from tests.fakes.membership import World
from tests.fakes.sessions import master_end, prepare_pki


@pytest.fixture
def layout(tmp_path: Path) -> HostLayout:
    return fresh(tmp_path / "host")


@pytest.fixture
def fake(layout: HostLayout) -> Fake:
    return Fake(layout)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return source_of(tmp_path)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return prepare_pki(tmp_path_factory.mktemp("master"))


@pytest_asyncio.fixture
async def world(pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(departure, "clean", lambda config, cluster_id="": ())
    async with master_end(pki) as master:
        master.join._session_port = master.server.port
        config = MasterConfig(
            data_dir=tmp_path, listen_address="127.0.0.1", api_port=0, advertise_addresses=("127.0.0.1",)
        )
        api = ApiServer(config, master.resources, pki, master.logs, master.join, clock=master.clock)
        task = asyncio.create_task(api.run())
        await api.ready.wait()
        (tmp_path / "host").mkdir()
        yield World(master, api, tmp_path / "host")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
