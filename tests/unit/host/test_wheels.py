"""Which wheels a bundle may have, and what of them a host gets."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from host import wheels
from host.errors import HostError
from host.system import Commands


class NoPip(Commands):
    """Downloads nothing: all wheels are present."""

    def run(self, *argv: str, environment: Mapping[str, str] | None = None) -> str:
        return ""


def wheel(directory: Path, *names: str) -> Path:
    path = directory / "other-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("other/__init__.py", *names):
            archive.writestr(name, "")
    return path


def test_programs_of_a_package_are_left_out(tmp_path: Path) -> None:
    made = wheel(tmp_path, "other-1.data/scripts/other", "other/more.data/scripts/kept.py")
    wheels.fetch(b"", tmp_path / "wheels", NoPip(), python="3.11", present=[made])
    wheels.unpack_one(tmp_path / "wheels" / made.name, tmp_path / "packages")
    files = {path.name for path in (tmp_path / "packages").rglob("*") if path.is_file()}
    assert files == {"__init__.py", "kept.py"}
    assert not (tmp_path / "packages/other-1.data").exists()


@pytest.mark.parametrize("place", ["data", "headers", "platlib"])
def test_a_wheel_with_files_for_other_places_is_refused(tmp_path: Path, place: str) -> None:
    made = wheel(tmp_path, f"other-1.data/{place}/file")
    with pytest.raises(HostError, match=f"installs more than packages .other-1.data/{place}/file"):
        wheels.fetch(b"", tmp_path / "wheels", NoPip(), python="3.11", present=[made])
