"""Machines with this checkout's bundle on them: installed as on any host."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import count
from pathlib import Path

import pytest

from hull import lockfile
from lab.machine.recipe import CROWDED
from tests.machine.bed import Machine, MachineBed
from tests.machine.bed.bed import sweep_ended
from tests.machine.bed.host import CommandFailed
from tests.machine.bundle import NEWER, bundled, make_newer, unpacked
from tests.machine.hosts import together

BUNDLE = "/bundle"
"""Where machines see the bundle; `/newer` is the same with another version."""
IN_MEMORY = ("--tmpfs=/opt:exec,mode=755",)
"""Installed files cost no disk, and are lost when a machine is switched off."""
ON_DISK = ("--label=disk",)
_numbers = count(1)

MakeMachines = Callable[..., list[Machine]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.machine)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root: makes namespaces and runs an engine"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the journals of the machines to the report of a failed test."""
    report = yield
    if report.when == "call" and report.failed:
        for machine in _machines(getattr(item, "funcargs", {}).values()):
            for unit in ("sampan-master", "sampan-agent"):
                try:
                    journal = machine.journal(unit)
                except (CommandFailed, OSError) as error:
                    journal = f"not readable: {error}"
                report.sections.append((f"journal of {unit} on {machine.name}", journal))
    return report


def _machines(values: Iterable[object]) -> list[Machine]:
    """The machines among a test's arguments, or in lists and objects that are arguments."""
    candidates: list[object] = []
    for value in values:
        candidates += value if isinstance(value, list | tuple) else [value, *getattr(value, "__dict__", {}).values()]
    return list({each.name: each for each in candidates if isinstance(each, Machine)}.values())


@pytest.fixture(scope="session")
def bundle_file(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout's bundle. The first process of a run makes it, and what the next fixtures make of it."""
    directory = Path(pytestconfig.getoption("--shared") or tmp_path_factory.mktemp("bundle"))
    file = directory / "bundle.tar"
    with lockfile.opened(directory / "bundle.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / NEWER).exists():
            shutil.rmtree(file.with_suffix(""), ignore_errors=True)
            make_newer(unpacked(bundled(file)), directory / "unfinished")
            (directory / "unfinished").rename(directory / NEWER)
    return file


@pytest.fixture(scope="session")
def bundle(bundle_file: Path) -> Path:
    """The same, unpacked."""
    return next(bundle_file.with_suffix("").iterdir())


@pytest.fixture(scope="session")
def newer(bundle_file: Path) -> Path:
    """The same with a later version number and other descriptions in its units."""
    return bundle_file.with_name(NEWER)


@pytest.fixture(scope="session")
def bed() -> Iterator[MachineBed]:
    """The bed of all plain machines of the run."""
    sweep_ended()
    with MachineBed() as made:
        yield made


@pytest.fixture(scope="session")
def crowded() -> Iterator[MachineBed]:
    """The bed of the machines with firewalls, network managers and a second engine."""
    sweep_ended()
    with MachineBed(CROWDED) as made:
        yield made


@pytest.fixture(scope="session")
def pair(bed: MachineBed, bundle: Path, newer: Path) -> Iterator[tuple[Machine, Machine]]:
    """A master, and a host with an agent that has not joined; each test leaves them in this state."""
    volumes = (f"--volume={bundle}:{BUNDLE}:ro", f"--volume={newer}:/newer:ro")
    master, node = (bed.add(name, *volumes, *IN_MEMORY) for name in ("chief", "joiner"))
    try:
        for machine in (master, node):
            machine.wait_running()
        together(
            lambda: master.run(f"{BUNDLE}/install", "master", timeout_s=120),
            lambda: node.run(f"{BUNDLE}/install", "agent", timeout_s=120),
        )
        yield master, node
    finally:
        bed.remove(master)
        bed.remove(node)


@pytest.fixture
def machines(bed: MachineBed, bundle: Path, newer: Path) -> Iterator[MakeMachines]:
    """`machines(2)`: two booted machines, without Sampan except for the bundles at /bundle and /newer."""
    made: list[Machine] = []

    def make(number: int = 1, *options: str) -> list[Machine]:
        options = options or IN_MEMORY
        volumes = (f"--volume={bundle}:{BUNDLE}:ro", f"--volume={newer}:/newer:ro")
        fresh = [bed.add(f"m{next(_numbers)}", *volumes, *options) for _ in range(number)]
        made.extend(fresh)
        for machine in fresh:
            machine.wait_running()
        return fresh

    try:
        yield make
    finally:
        for machine in made:
            bed.remove(machine)


@pytest.fixture
def machine(machines: MakeMachines) -> Machine:
    """One booted machine."""
    return machines()[0]
