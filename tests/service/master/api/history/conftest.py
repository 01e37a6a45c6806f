"""Runs of this folder's tests: certificates that all of them share, and short queues of watchers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from master.api.rest import watches
from master.config import MasterConfig
from master.pki import Pki
from tests.service.master.api.history.world import Faults, Outcome, run

Runner = Callable[..., Outcome]
# Events that may wait for a watcher, so that slow ones fall behind.
_QUEUE = 2


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.prepare(MasterConfig(data_dir=tmp_path_factory.mktemp("pki")))


@pytest.fixture
def simulate(certificates: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs a seed with this number of operations and of deaths of the master."""
    monkeypatch.setattr(watches, "_QUEUE", _QUEUE)

    def simulated(seed: int, *, writes: int, deaths: int = 3, faults: Faults | None = None) -> Outcome:
        directory = tmp_path / f"{seed}-{len(list(tmp_path.iterdir()))}"
        directory.mkdir()
        return run(directory, seed, pki=certificates, writes=writes, deaths=deaths, faults=faults or Faults())

    return simulated
