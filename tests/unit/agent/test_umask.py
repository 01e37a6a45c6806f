"""An agent that is started under a strict umask makes files that the users of containers can read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent import main
from hull.errors import SettingsError


def test_the_umask_of_the_agent_is_its_own(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with pytest.raises(SettingsError):
            main.run(tmp_path / "missing.toml")
        (tmp_path / "file").touch()
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)
