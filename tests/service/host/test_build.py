"""The wheels and the bundle that a checkout builds: on a bare Python, under pytest, and for the first release."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from email import message_from_bytes
from pathlib import Path

import pytest

from host import build, bundle, completions, source, wheels
from host.build import NETSTACK, PLUGIN, SAMPAN
from host.system import Commands
from proto.contract import VERSION
from tests import first_release

ROOT = Path(__file__).resolve().parents[3]


class WithoutPackages(Commands):
    """Fetches nothing, and keeps the lock with which pip was asked."""

    lock = b""

    def run(self, *argv: str, environment: Mapping[str, str] | None = None) -> str:
        if "download" in argv:
            self.lock = Path(argv[argv.index("-r") + 1]).read_bytes()
            return ""
        return super().run(*argv, environment=environment)


@pytest.fixture(scope="module")
def system() -> WithoutPackages:
    return WithoutPackages()


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory, system: WithoutPackages) -> Path:
    """What `sampan build` writes, without the wheels of others."""
    directory = tmp_path_factory.mktemp("build") / "dist"
    made = bundle.make_all(directory, system)
    assert sorted(made) == sorted(directory.iterdir())
    return directory


@pytest.fixture(scope="module")
def built(dist: Path) -> dict[str, Path]:
    return {name: next(dist.glob(f"{build.file_prefix(name)}*.whl")) for name in (NETSTACK, PLUGIN, SAMPAN)}


@pytest.fixture(scope="module")
def unpacked(dist: Path) -> Path:
    """The bundle's directory."""
    tar = next(dist.glob("*.tar"))
    with tarfile.open(tar) as archive:
        archive.extractall(dist.parent, filter="data")
    return dist.parent / tar.stem


def run(packages: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program on a bare Python, with these packages and no others."""
    start = f"import sys\nsys.path.insert(0, {str(packages)!r})\n{program}"
    return subprocess.run([sys.executable, "-I", "-S", "-c", start, *arguments], capture_output=True, text=True)


def test_all_wheels_have_the_version_of_the_contract_and_need_each_other_in_it(built: Mapping[str, Path]) -> None:
    for name, wheel in built.items():
        with zipfile.ZipFile(wheel) as archive:
            info = f"{build.file_prefix(name)}{VERSION}.dist-info"
            metadata = message_from_bytes(archive.read(f"{info}/METADATA"))
            assert archive.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        assert (metadata["Name"], metadata["Version"]) == (name, VERSION)
        needed = [line for line in metadata.get_all("Requires-Dist", []) if line.startswith("sampan")]
        assert needed == ([] if name == NETSTACK else [f"{NETSTACK}=={VERSION}"])


def test_every_file_of_the_packages_is_in_one_wheel(built: Mapping[str, Path]) -> None:
    """Sources of generated code stay in the checkout, as do stubs of it."""
    names = [name for wheel in built.values() for name in zipfile.ZipFile(wheel).namelist()]
    assert len(names) == len(set(names))
    tops = {name.partition("/")[0] for name in names if "dist-info/" not in name} - {"pytest_sampan"}
    files = [path for top in tops for path in (ROOT / top).rglob("*") if path.is_file()]
    expected = {str(path.relative_to(ROOT)) for path in files if path.suffix not in (".pyc", ".proto", ".pyi")}
    assert expected - set(names) == set()


def test_the_lock_in_the_wheel_is_the_checkouts_and_the_network_stack(built: Mapping[str, Path]) -> None:
    checkouts = (ROOT / "requirements.lock").read_bytes()
    lock = source.lock_of(built[SAMPAN])
    assert lock.startswith(checkouts)
    assert lock[len(checkouts) :].decode().split() == [
        f"{NETSTACK}=={VERSION}", "\\", f"--hash=sha256:{wheels.digest(built[NETSTACK])}",
    ]  # fmt: skip


def test_the_index_is_not_asked_for_the_network_stack(dist: Path, system: WithoutPackages) -> None:
    assert system.lock == (ROOT / "requirements.lock").read_bytes()


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    names = ("a/one.py", "b.py", "x-1.dist-info/RECORD")
    one, other = tmp_path / "one.whl", tmp_path / "other.whl"
    with zipfile.ZipFile(one, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name, (2001, 1, 1, 0, 0, 0)), name)
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in reversed(names):
            entry = zipfile.ZipInfo(name, (2002, 2, 2, 0, 0, 0))
            entry.external_attr = 0o100600 << 16
            archive.writestr(entry, name)
    for wheel in (one, other):
        build._pack_again(wheel)
    assert one.read_bytes() == other.read_bytes()
    assert zipfile.ZipFile(one).namelist() == list(names)


def test_the_wheel_has_the_completion_of_the_command(built: Mapping[str, Path]) -> None:
    scripts = json.loads(zipfile.ZipFile(built[SAMPAN]).read(f"host/{completions.FILE}"))
    assert len(scripts) == 3
    for path, text in scripts.items():
        assert path.startswith("/usr/") and "uninstall" in text and "bench" not in text, path


@pytest.mark.parametrize("command", ["install", "upgrade", "uninstall"])
def test_the_bundles_script_runs_the_command_on_a_bare_python(unpacked: Path, tmp_path: Path, command: str) -> None:
    """It imports nothing that is not in the standard library, out of the zipped wheels."""
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    (bare / "python3").chmod(0o755)
    environment = {**os.environ, "PATH": f"{bare}:{os.environ['PATH']}"}
    words = [] if command == "install" else [command]
    done = subprocess.run(
        [str(unpacked / "install"), *words, "--help"], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: sampan {command}" in done.stdout


def test_what_installs_imports_the_standard_library_only(unpacked: Path) -> None:
    path = ":".join(map(str, (next(unpacked.glob("*.whl")), *unpacked.glob("wheels/sampan_netstack-*.whl"))))
    done = run(Path(), f"sys.path[:1] = {path!r}.split(':')\n{_INSTALLING}")
    assert (done.returncode, done.stderr) == (0, "")


_INSTALLING = """
import importlib, pkgutil
import host, hull
import agent.config, master.config
for package in (host, hull):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.startswith(("host.membership", "host.preflight")):
            importlib.import_module(module.name)
"""


def test_the_first_release_upgrades_to_this_bundle(unpacked: Path, tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    version = first_release.unpack_bundle(
        unpacked, packages, python=source.python_version(), machine=source.machine_name()
    )
    assert version == VERSION
    program = f"import runpy\nrunpy.run_module({first_release.HOST_FILES!r}, run_name='__main__', alter_sys=True)"
    done = run(packages, program, "master")
    assert (done.returncode, done.stderr) == (0, "")
    assert [each["path"] for each in json.loads(done.stdout)][:1] == ["/etc/systemd/system/sampan-master.service"]


def pytest_with(tmp_path: Path, *installed: Path) -> subprocess.CompletedProcess[str]:
    """Run a few tests where these wheels are installed, beside the packages of others: pytest finds the entry point."""
    packages = tmp_path / "site-packages"
    for wheel in installed:
        wheels.unpack_one(wheel, packages)
    (tmp_path / "test_it.py").write_text(_TESTS)
    others = next(path for path in sys.path if path.endswith("site-packages"))
    program = f"sys.path[:0] = [{str(packages)!r}, {others!r}]\nimport pytest\nsys.exit(pytest.main(sys.argv[1:]))"
    options = ["-p", "no:asyncio", "-p", "no:cacheprovider", "-rs", "-q", "--rootdir=."]
    start = ["-I", "-S", "-c", f"import sys\n{program}", *options, "test_it.py"]
    return subprocess.run([sys.executable, *start], capture_output=True, text=True, cwd=tmp_path)


_TESTS = """
import sys

import pytest

def test_only_what_the_plugin_needs_is_loaded(pytestconfig):
    needless = {"client", "lab", "proto", "cli", "urllib3", "yaml", "cryptography"}
    if not pytestconfig.pluginmanager.has_plugin("lab.plugin"):
        assert not needless & set(sys.modules)

def test_clusters(pytestconfig, request):
    if not pytestconfig.pluginmanager.has_plugin("lab.plugin"):
        request.getfixturevalue("cluster")
    assert pytestconfig.getoption("--cluster-nodes") == 3

def test_the_general_part_is_there(pytestconfig):
    assert pytestconfig.pluginmanager.has_plugin("netrig.plugin")
"""


def test_without_sampan_a_test_that_asks_for_a_cluster_is_skipped(built: Mapping[str, Path], tmp_path: Path) -> None:
    done = pytest_with(tmp_path, built[NETSTACK], built[PLUGIN])
    assert "needs the wheel sampan" in done.stdout, done.stdout + done.stderr
    assert "2 passed, 1 skipped" in done.stdout


def test_with_sampan_the_fixtures_for_clusters_are_loaded(built: Mapping[str, Path], tmp_path: Path) -> None:
    done = pytest_with(tmp_path, *built.values())
    assert "3 passed" in done.stdout, done.stdout + done.stderr
