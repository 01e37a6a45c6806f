"""Checks of the machine, root and free space, and the environment of daemons."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.environment import clean_environment, require_root, require_space
from lab.errors import Unusable


def test_only_root_may_make_a_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unusable, match="needs root"):
        require_root()


def test_the_space_is_checked_for_a_directory_that_does_not_exist_yet(tmp_path: Path) -> None:
    require_space(tmp_path / "not" / "yet", 1 << 10, "a lab")
    with pytest.raises(Unusable, match=r"a lab needs 1125899906842624 MiB below .*/not/yet, but only \d+ MiB are free"):
        require_space(tmp_path / "not" / "yet", 1 << 70, "a lab")


def test_nothing_of_the_user_s_environment_reaches_a_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere")
    assert set(clean_environment(HOME="/h")) == {"PATH", "LANG", "PYTHONPATH", "HOME"}
