"""Two virtual machines with different releases of Debian as one cluster, which all tests of the run share.

The machines have no Internet. As they are slow, each step is reported while it runs, even though pytest captures the
output of tests.
"""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import pytest

from cli.progress import Progress
from host import bundle as bundles
from host.system import Commands
from lab.errors import LabError
from lab.images.builder import build
from lab.images.recipes import IMAGES
from lab.layout import CACHE_ROOT
from lab.machine.recipe import Recipe
from tests.vm.bed import VmBed, qemu
from tests.vm.bed.bed import sweep_ended
from tests.vm.bed.recipe import DEBIAN12, DEBIAN13
from tests.vm.cluster import VmCluster

_TIMEOUT_S: Final = 2400
"""The bound for one test and the fixtures that it is the first to use. Only a test that hangs should reach it."""
_LOG_LINES: Final = 40
_BED: Final = pytest.StashKey[VmBed]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    directory, reason = Path(__file__).parent, qemu.unusable()
    for item in items:
        if directory in item.path.parents:
            item.add_marker(pytest.mark.vm)
            item.add_marker(pytest.mark.timeout(_TIMEOUT_S))
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows the end of the machines' consoles and journals."""
    report = yield
    bed = item.session.stash.get(_BED, None)
    if report.failed and bed is not None:
        for machine in bed.machines:
            console = machine.console.read_text(errors="replace") if machine.console.exists() else ""
            report.sections.append((f"console of {machine.name}", "\n".join(console.splitlines()[-_LOG_LINES:])))
            try:
                journal = machine.run("journalctl", "--no-pager", "-n", str(_LOG_LINES), "-t", "sampan", check=False)
            except LabError as error:
                report.sections.append((machine.name, str(error)))
            else:
                report.sections.append((f"journal of {machine.name}", journal.stdout))
    return report


class _Uncaptured(io.StringIO):
    """Writes to the real stderr, past pytest's capture."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__()
        capture = config.pluginmanager.get_plugin("capturemanager")
        self._open = capture.global_and_fixture_disabled if capture else nullcontext

    def write(self, text: str) -> int:
        with self._open():
            written = sys.stderr.write(text)
            sys.stderr.flush()
        return written


@pytest.fixture(scope="session")
def progress(pytestconfig: pytest.Config) -> Progress:
    """Reports steps: `with progress.step("…")`."""
    reporter = Progress(_Uncaptured(pytestconfig))
    reporter.say("")  # pytest's own line is not finished
    return reporter


@pytest.fixture(scope="session")
def vms(
    request: pytest.FixtureRequest, progress: Progress, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VmBed]:
    """The two machines, booted, with only a bundle and the pods' images at /seed."""
    sweep_ended()
    images = tmp_path_factory.mktemp("images")
    for image in build(IMAGES[:2]):
        (images / image.recipe.name.replace("/", "-")).symlink_to(image.directory)
    with VmBed() as bed:
        request.session.stash[_BED] = bed
        for recipe in (DEBIAN13, DEBIAN12):
            with progress.step(f"{recipe.name}: bundle for Python {recipe.python}"):
                bundle = _bundle(recipe, tmp_path_factory)
            bed.add(recipe.name, recipe, {"bundle": bundle, "images": images})
        with progress.step("both machines boot"):
            for machine in bed.machines:
                machine.wait_running()
        yield bed
        del request.session.stash[_BED]


def _bundle(recipe: Recipe, paths: pytest.TempPathFactory) -> Path:
    """This checkout's bundle for the recipe's Python, unpacked."""
    packages = bundles.cached_packages(CACHE_ROOT / "wheels", Commands(), python=recipe.python)
    directory = paths.mktemp(recipe.name)
    bundle = bundles.make(directory / "bundle.tar", Commands(), python=recipe.python, packages=packages)
    with tarfile.open(bundle) as archive:
        archive.extractall(directory, filter="data")
    return next(path for path in directory.iterdir() if path.is_dir())


@pytest.fixture(scope="session")
def cluster(vms: VmBed, progress: Progress) -> VmCluster:
    """A master and node on Debian 13 and a node on Debian 12, which are Ready."""
    vm_cluster = VmCluster(vms, progress)
    vm_cluster.install()
    vm_cluster.join()
    return vm_cluster
