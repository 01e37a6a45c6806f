"""What else must hold for every change, run as ordinary tests: format, lint, types, layers, fresh generated code."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lab.layout import CACHE_ROOT

ROOT = Path(__file__).resolve().parents[2]

TYPES_CACHE = CACHE_ROOT / "mypy" if os.geteuid() == 0 else ROOT / ".mypy_cache"
"""A fresh checkout is checked with the results of earlier runs: mypy compares the contents of files, and ignores the
results of another version of Python or of itself."""

CHECKS = {
    "format": [sys.executable, "-m", "ruff", "format", "--check", "--quiet", "."],
    "lint": [sys.executable, "-m", "ruff", "check", "--quiet", "."],
    "types": [sys.executable, "-m", "mypy", f"--cache-dir={TYPES_CACHE}"],
    "layers": [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("check", CHECKS)
def test_check_finds_nothing(check: str) -> None:
    result = subprocess.run(CHECKS[check], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_generated_code_is_fresh() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "proto", "gen").mkdir(parents=True)
        subprocess.run(
            [sys.executable, "-c", f"import proto.generate as g, pathlib; g.generate(pathlib.Path({scratch!r}))"],
            cwd=ROOT,
            check=True,
        )
        fresh = Path(scratch, "proto", "gen")
        names = sorted(path.name for path in fresh.iterdir())
        assert names, "protoc wrote nothing"
        same, different, missing = filecmp.cmpfiles(fresh, ROOT / "proto" / "gen", names, shallow=False)
        assert (different, missing) == ([], []), "run: python -m proto.generate"
        kept = {path.name for path in (ROOT / "proto" / "gen").glob("*_pb2*")}
        assert kept == set(same), "proto/gen holds files of a .proto that is gone"
