"""What `--from` accepts: a wheel, a bundle, or the directory of one."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from host import source, wheels
from host.build import LOCK_IN_WHEEL
from host.errors import HostError, WrongUse
from host.source import MANIFEST, WHEELHOUSE, opened
from host.system import Commands
from tests import first_release

OTHER_LOCK = f"""\
# A comment
other==1 ; sys_platform == 'linux' \\
    --hash=sha256:{"0" * 64} \\
    --hash=sha256:{"1" * 64}
    # via sampan
"""


class Index(Commands):
    """A package index without a wheel; keeps the lock with which pip asked."""

    lock = ""

    def run(self, *argv: str, environment: Mapping[str, str] | None = None) -> str:
        assert "download" in argv
        self.lock = Path(argv[argv.index("-r") + 1]).read_text()
        return ""


def wheel_at(directory: Path, name: str, **files: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    with zipfile.ZipFile(path, "w") as archive:
        for entry, text in files.items():
            archive.writestr(entry.replace("__", "/"), text)
    return path


def wheel_with_lock(directory: Path, lock: str) -> Path:
    path = directory / "sampan-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(LOCK_IN_WHEEL, lock)
    return path


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """A bundle for this host, as a directory."""
    directory = tmp_path / "bundle"
    other = wheel_at(directory / WHEELHOUSE, "other-1-py3-none-any.whl", other="text")
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    wheel = wheel_with_lock(directory, f"other==1 \\\n    --hash=sha256:{digest}\n")
    manifest = {"wheel": wheel.name, "python": source.python_version(), "machine": source.machine_name()}
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


def test_a_wheel_that_the_lock_does_not_name_is_refused(unpacked: Path, tmp_path: Path) -> None:
    wheel_at(unpacked / WHEELHOUSE, "other-1-py3-none-any.whl", other="changed")
    with opened(unpacked, Commands()) as found, pytest.raises(HostError, match="not the wheel that the lock names"):
        wheels.unpack(found.wheelhouse, found.lock(), tmp_path / "packages")
    assert not (tmp_path / "packages/other").exists()


def test_what_is_neither_a_wheel_nor_a_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.tar").write_text("no tar")
    (tmp_path / "empty").mkdir()
    wheel_at(tmp_path, "other-1-py3-none-any.whl", other="text")
    for name, error, words in (
        ("missing.tar", WrongUse, "there is no"),
        ("missing.whl", WrongUse, "there is no"),
        ("text.tar", HostError, "neither a wheel nor a bundle"),
        ("empty", HostError, "not a bundle"),
        ("other-1-py3-none-any.whl", HostError, "was not made by"),
    ):
        with pytest.raises(error, match=words), opened(tmp_path / name, Commands()):
            pass


def test_a_digest_depends_on_the_content_and_not_on_the_time(tmp_path: Path) -> None:
    first = wheel_at(tmp_path / "a", "sampan-1-py3-none-any.whl", cli="x")
    later = tmp_path / "b" / first.name
    later.parent.mkdir()
    with zipfile.ZipFile(later, "w") as archive:
        archive.writestr(zipfile.ZipInfo("cli", (2001, 1, 1, 0, 0, 0)), "x")
    other = wheel_at(tmp_path / "c", first.name, cli="y")
    one, two, three = (source.Source(path, tmp_path).digest for path in (first, later, other))
    assert one == two != three


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """The wheels `sampan` and `sampan-netstack` of one build, beside each other."""
    netstack = wheel_at(tmp_path / "dist", "sampan_netstack-1.0-py3-none-any.whl", hull="text")
    lock = f"{OTHER_LOCK}sampan-netstack==1.0 \\\n    --hash=sha256:{wheels.digest(netstack)}\n"
    return wheel_with_lock(tmp_path / "dist", lock), netstack


@pytest.mark.parametrize("place", ["beside", "in the wheelhouse of a bundle"])
def test_the_network_stack_of_a_wheel_lies_with_it(pair: tuple[Path, Path], place: str) -> None:
    sampan, netstack = pair
    wheel_at(netstack.parent, "sampan_netstack-0.9-py3-none-any.whl", hull="of an older build")
    if place != "beside":
        (sampan.parent / WHEELHOUSE).mkdir()
        netstack.rename(sampan.parent / WHEELHOUSE / netstack.name)
    system = Index()
    with opened(sampan, system) as made:
        assert [path.name for path in made.wheelhouse.iterdir()] == [netstack.name]
    assert system.lock == OTHER_LOCK


def test_the_index_is_asked_for_a_network_stack_that_is_not_with_its_wheel(pair: tuple[Path, Path]) -> None:
    sampan, netstack = pair
    netstack.unlink()
    system = Index()
    with opened(sampan, system) as made:
        assert system.lock == made.lock().decode()


def test_a_network_stack_of_another_build_is_refused(pair: tuple[Path, Path]) -> None:
    sampan, netstack = pair
    wheel_at(netstack.parent, netstack.name, hull="another")
    with pytest.raises(HostError, match="are of two builds"), opened(sampan, Index()):
        pass


def test_a_wheel_of_the_first_release_needs_no_other_of_ours() -> None:
    system = Index()
    with opened(first_release.wheel(), system) as made:
        assert list(made.wheelhouse.iterdir()) == []
    assert system.lock == first_release.lock().decode()
