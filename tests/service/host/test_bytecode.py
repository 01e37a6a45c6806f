"""The bytecode of a bundle: which wheels it belongs to, and what a host still compiles."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from host import bytecode, wheels
from host.system import Commands


@pytest.fixture
def wheelhouse(tmp_path: Path) -> Path:
    """With one wheel, whose package has a module."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    with zipfile.ZipFile(directory / "other-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("other/__init__.py", "")
        wheel.writestr("other/module.py", "print('compiled by the bundle')\n")
        wheel.writestr("other-1.dist-info/METADATA", "Name: other")
    return directory


@pytest.fixture
def lock(wheelhouse: Path) -> bytes:
    """The lock that the bytecode was made with."""
    (wheel,) = wheelhouse.glob("*.whl")
    text = f"other==1 --hash=sha256:{wheels.digest(wheel)}\n".encode()
    bytecode.make(wheelhouse, text, wheelhouse.parent, Commands())
    return text


def test_python_runs_the_bytecode_of_the_bundle(wheelhouse: Path, lock: bytes, tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    wheels.unpack(wheelhouse, lock, packages)
    assert bytecode.unpack(wheelhouse, lock, packages)
    sources = {path.stem for path in packages.rglob("*.py")}
    assert {path.name.partition(".")[0] for path in packages.rglob("*.pyc")} == sources == {"__init__", "module"}
    (packages / "other/module.py").write_text("print('compiled again')\n")
    command = [sys.executable, "-c", "import other.module"]
    done = subprocess.run(command, env={"PYTHONPATH": str(packages)}, capture_output=True, text=True, check=True)
    assert done.stdout == "compiled by the bundle\n"


def test_bytecode_of_other_wheels_is_not_taken(wheelhouse: Path, lock: bytes, tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    assert not bytecode.unpack(wheelhouse, lock + b"another==1 --hash=sha256:" + b"0" * 64, packages)
    assert not packages.exists()


def test_a_host_still_compiles_the_packages_of_sampan(tmp_path: Path) -> None:
    wheel = tmp_path / "sampan-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("agent/__init__.py", "agent/pods/__init__.py", "master/__init__.py", "sampan-1.dist-info/RECORD"):
            archive.writestr(name, "")
    assert wheels.packages_in(wheel) == ["agent", "master"]
