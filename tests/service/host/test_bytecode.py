"""The bytecode of a bundle: which wheels it belongs to, and what a host compiles without it."""

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
def ours(tmp_path: Path) -> Path:
    """A wheel `sampan`."""
    wheel = tmp_path / "sampan-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("agent/__init__.py", "print('compiled by the bundle')\n")
        archive.writestr("sampan-1.dist-info/RECORD", "")
    return wheel


@pytest.fixture
def lock(wheelhouse: Path, ours: Path) -> bytes:
    """The lock that the bytecode was made with."""
    (wheel,) = wheelhouse.glob("*.whl")
    text = f"other==1 --hash=sha256:{wheels.digest(wheel)}\n".encode()
    bytecode.make(wheelhouse, ours, text, wheelhouse.parent, Commands())
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


def test_python_runs_the_bytecode_of_the_wheel_sampan(
    wheelhouse: Path, ours: Path, lock: bytes, tmp_path: Path
) -> None:
    packages = tmp_path / "site-packages"
    wheels.unpack_one(ours, packages)
    assert bytecode.unpack_of_wheel(wheelhouse, ours, packages)
    (packages / "agent/__init__.py").write_text("print('compiled again')\n")
    command = [sys.executable, "-P", "-c", "import agent"]
    done = subprocess.run(command, env={"PYTHONPATH": str(packages)}, capture_output=True, text=True, check=True)
    assert done.stdout == "compiled by the bundle\n"


def test_bytecode_of_another_build_is_not_taken(wheelhouse: Path, ours: Path, lock: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(ours, "a") as archive:
        archive.writestr("agent/added.py", "")
    assert not bytecode.unpack_of_wheel(wheelhouse, ours, tmp_path / "site-packages")
    assert not (tmp_path / "site-packages").exists()


def test_without_it_a_host_compiles_the_packages_of_sampan(tmp_path: Path) -> None:
    wheel = tmp_path / "sampan-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("agent/__init__.py", "agent/pods/__init__.py", "master/__init__.py", "sampan-1.dist-info/RECORD"):
            archive.writestr(name, "")
    assert wheels.packages_in(wheel) == ["agent", "master"]
