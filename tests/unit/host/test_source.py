"""What `--from` may be, and what a bundle is made of."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from host import bundle, source, wheels
from host.errors import HostError, WrongUse
from host.source import MANIFEST, WHEELHOUSE, opened
from host.system import Commands

ROOT = Path(__file__).resolve().parents[3]


def wheel_at(directory: Path, name: str, **files: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    with zipfile.ZipFile(path, "w") as archive:
        for entry, text in files.items():
            archive.writestr(entry.replace("__", "/"), text)
    return path


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """A bundle for this host, as a directory."""
    directory = tmp_path / "bundle"
    other = wheel_at(directory / WHEELHOUSE, "other-1-py3-none-any.whl", other="text")
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    name = "sampan-1.0-py3-none-any.whl"
    with zipfile.ZipFile(directory / name, "w") as archive:
        archive.writestr(source.LOCK_IN_WHEEL, f"other==1 \\\n    --hash=sha256:{digest}\n")
    manifest = {"wheel": name, "python": source.python_version(), "machine": source.machine_name()}
    (directory / MANIFEST).write_text(json.dumps(manifest))
    return directory


def test_a_bundle_is_a_directory_or_its_tar(unpacked: Path, tmp_path: Path) -> None:
    tar = tmp_path / "bundle.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(unpacked, "sampan")
    for given in (unpacked, tar):
        with opened(given, Commands()) as found:
            assert found.version == "1.0" and found.wheel.is_file()
            wheels.unpack(found.wheelhouse, found.lock(), tmp_path / "packages")
    assert (tmp_path / "packages/other").read_text() == "text"


@pytest.mark.parametrize(("name", "value"), [("python", "2.7"), ("machine", "vax")])
def test_a_bundle_for_another_host_is_refused(unpacked: Path, name: str, value: str) -> None:
    manifest = json.loads((unpacked / MANIFEST).read_text())
    (unpacked / MANIFEST).write_text(json.dumps({**manifest, name: value}))
    with pytest.raises(HostError, match=rf"{value}.*sampan bundle --python"), opened(unpacked, Commands()):
        pass


def test_a_wheel_that_is_not_what_the_lock_says_is_refused(unpacked: Path, tmp_path: Path) -> None:
    wheel_at(unpacked / WHEELHOUSE, "other-1-py3-none-any.whl", other="changed")
    with opened(unpacked, Commands()) as found, pytest.raises(HostError, match="not what the lock says"):
        wheels.unpack(found.wheelhouse, found.lock(), tmp_path / "packages")
    assert not (tmp_path / "packages/other").exists()


def test_what_is_neither_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.tar").write_text("no tar")
    (tmp_path / "empty").mkdir()
    wheel_at(tmp_path, "other-1-py3-none-any.whl", other="text")
    for name, error, words in (
        ("missing.tar", WrongUse, "there is no"),
        ("missing.whl", WrongUse, "there is no"),
        ("text.tar", HostError, "neither a wheel nor a bundle"),
        ("empty", HostError, "no bundle"),
        ("other-1-py3-none-any.whl", HostError, "no wheel that"),
    ):
        with pytest.raises(error, match=words), opened(tmp_path / name, Commands()):
            pass


def test_a_digest_is_of_the_content_not_of_the_time(tmp_path: Path) -> None:
    first = wheel_at(tmp_path / "a", "sampan-1-py3-none-any.whl", cli="x")
    later = tmp_path / "b" / first.name
    later.parent.mkdir()
    with zipfile.ZipFile(later, "w") as archive:
        archive.writestr(zipfile.ZipInfo("cli", (2001, 1, 1, 0, 0, 0)), "x")
    other = wheel_at(tmp_path / "c", first.name, cli="y")
    one, two, three = (source.Source(path, tmp_path).digest for path in (first, later, other))
    assert one == two != three


def test_the_wheel_of_this_checkout_installs_on_a_bare_python(tmp_path: Path) -> None:
    """The lock travels in it, and `install` imports nothing that is not in the standard library."""
    wheel = source.build_wheel(tmp_path / "built", Commands())
    assert source.lock_of(wheel) == (ROOT / "requirements.lock").read_bytes()
    script = bundle._INSTALL.format(wheel=wheel.name)
    assert subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True).stderr == ""
    for command in ("install", "upgrade", "uninstall"):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _BARE, str(wheel), command], capture_output=True, text=True, cwd=tmp_path
        )
        assert (done.returncode, done.stderr) == (0, ""), command


_BARE = """
import sys
sys.path.insert(0, sys.argv[1])
from cli.main import main
from host.installation import install, uninstall, upgrade
from host import bundle, config, source
import host.host_files
import agent.config, master.config
main([sys.argv[2], "--help"])
"""
