"""A master, and a host that joins and leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from agent import departure
from master import cluster_api
from master.config import MasterConfig
from master.pki import Pki
from tests.fakes.membership import World
from tests.fakes.sessions import master_end


@pytest_asyncio.fixture
async def world(pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(departure, "clean", lambda config, cluster_id="": ())
    async with master_end(pki) as master:
        master.join._session_port = master.server.port
        config = MasterConfig(
            data_dir=tmp_path, listen_address="127.0.0.1", api_port=0, advertise_addresses=("127.0.0.1",)
        )
        api = cluster_api.server(config, master.resources, pki, master.logs, master.join, clock=master.clock)
        task = asyncio.create_task(api.run())
        await api.ready.wait()
        (tmp_path / "host").mkdir()
        yield World(master, api, tmp_path / "host")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
