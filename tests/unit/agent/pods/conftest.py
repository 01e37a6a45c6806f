"""The bed of the pods' tests."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.agent.pods.bed import Bed, make_bed


@pytest.fixture
async def one_file_thread() -> None:
    """With one thread, `settle` waits for file operations in progress by queueing behind them."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1))


@pytest.fixture
async def bed(tmp_path: Path, one_file_thread: None) -> Bed:
    return make_bed(tmp_path)
