"""Virtual machines: the owners of their names, the command for QEMU, and missing requirements."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab.machine.recipe import Recipe
from tests.machine.bed import CommandFailed, Host
from tests.vm.bed import bed, libvirt, qemu, recipe
from tests.vm.bed.image import IMAGES
from tests.vm.bed.qemu import Hardware
from tests.vm.bed.ssh import Ssh


@pytest.mark.parametrize("name", ["build-12", "debian12-0123456789abcdef", "sampan-machines-1-2-3", "sampan-vms-1-2"])
def test_names_that_are_not_of_a_bed_have_no_owner(name: str) -> None:
    assert bed.NAMES.owner_of(bed.VmBed().name) is not None
    assert bed.NAMES.owner_of(name) is None


def test_each_sort_of_bed_has_its_own_names() -> None:
    name = libvirt.LibvirtBed().name
    assert libvirt.NAMES.owner_of(name) is not None
    assert bed.NAMES.owner_of(name) is None


def test_the_path_of_the_control_socket_fits_the_kernel_s_limit() -> None:
    longest = IMAGES.root / f"sampan-vms-{2**22}-{10**12}-{10**4}"
    # ssh makes it with a longer name and renames it.
    assert len(str(_ssh(longest).socket)) + len(".0123456789abcdef") < 108


def test_every_input_changes_the_directory_of_an_image() -> None:
    first = recipe.DEBIAN12
    directories = {IMAGES.directory(variant) for variant in (first, recipe.DEBIAN13, replace(first, setup="true"))}
    for inputs in ((0, "6G"), (1, "1G")):
        directories.add(replace(IMAGES, inputs=inputs).directory(first))
    assert len(directories) == 5


@pytest.mark.parametrize("known", recipe.RECIPES, ids=lambda known: known.name)
def test_images_of_different_recipes_are_distinguished(known: Recipe) -> None:
    others = [other for other in recipe.RECIPES if other != known]
    assert not any(IMAGES.directory(other).match(f"{known.name}-*") for other in others)


def test_the_command_has_the_machine_s_name_and_writes_to_no_cached_disk() -> None:
    hardware = Hardware(
        name="debian12",
        image=Path("/cache/debian12"),
        disk=Path("/bed/debian12.qcow2"),
        seed=Path("/bed/debian12.seed"),
        tap="tap1",
        address=IPv4Address("10.77.0.11"),
    )
    words = qemu.command(hardware, Path("/bed/debian12.console"))
    assert "systemd.hostname=debian12" in words[words.index("-append") + 1].split()
    disks = [words[at + 1] for at, word in enumerate(words) if word == "-drive"]
    assert [disk.split(",")[0] for disk in disks] == ["file=/bed/debian12.qcow2", "file=/bed/debian12.seed"]
    assert "readonly=on" in disks[1]
    assert qemu.mac(hardware.address) == "52:54:00:4d:00:0b"


def test_missing_requirements_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in qemu.unusable()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name, path: "" if name.startswith("qemu") else f"/bin/{name}")
    assert qemu.unusable().startswith("needs qemu-system-x86_64, qemu-img (")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert "aarch64" in qemu.unusable()


@dataclass
class _FakeHost(Host):
    """A machine on which every command has the same output and exit code."""

    name: str = "m"
    code: int = 0
    calls: list[tuple[Sequence[str], bytes]] = field(default_factory=list)

    @property
    def is_on(self) -> bool:
        return True

    def call(
        self, argv: Sequence[str], *, input: bytes, timeout_s: float, environment: Mapping[str, str], user: str
    ) -> subprocess.CompletedProcess[bytes]:
        self.calls.append((argv, input))
        return subprocess.CompletedProcess(argv, self.code, b"out\n", b"err\n")


def test_everything_on_a_machine_is_done_by_commands() -> None:
    host = _FakeHost()
    assert host.output("true") == "out"
    host.write("/a/b", "text", mode=0o600)
    argv, given = host.calls[-1]
    assert (list(argv[-3:]), given) == (["/a", "/a/b", "600"], b"text")
    failing = _FakeHost(code=4)
    assert failing.run("false", check=False).returncode == 4
    assert not failing.exists("/a")
    with pytest.raises(CommandFailed, match="m: false ended with 4: err"):
        failing.run("false")


def _ssh(directory: Path) -> Ssh:
    return Ssh("debian12", IPv4Address("10.77.0.11"), Path("/run/netns/none"), directory / "key", directory)
