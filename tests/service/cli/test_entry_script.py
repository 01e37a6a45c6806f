"""The script `sampan` of a checkout: help installs nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without an environment, and with no other Python than the tests' own on its PATH."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for path in ROOT.iterdir():
        if path.name not in ("sampan", ".venv", ".git"):
            (checkout / path.name).symlink_to(path)
    (checkout / "sampan").write_text((ROOT / "sampan").read_text())
    (checkout / "sampan").chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to(Path(sys.executable).resolve())
    return checkout


@pytest.mark.parametrize("words", ["--help", "test --help", "bench -h", "up --help", "lab cut --help", "test unit -h"])
def test_help_installs_nothing(checkout: Path, words: str) -> None:
    path = f"{checkout.parent / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(
        [checkout / "sampan", *words.split()], env={"PATH": path}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: sampan")
    assert not (checkout / ".venv").exists()
