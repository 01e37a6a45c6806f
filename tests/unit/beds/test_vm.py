"""Virtual machines: names that tell their owner, what QEMU and ssh are given, and what keeps them from running."""

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
from tests.vm.bed.ssh import Ssh, Unreachable


@pytest.mark.parametrize("name", ["build-12", "debian12-0123456789abcdef", "sampan-machines-1-2-3", "sampan-vms-1-2"])
def test_what_is_no_bed_has_no_owner_here(name: str) -> None:
    assert bed.NAMES.owner_of(bed.VmBed().name) is not None
    assert bed.NAMES.owner_of(name) is None


def test_each_sort_of_beds_has_names_of_its_own() -> None:
    name = libvirt.LibvirtBed().name
    assert libvirt.NAMES.owner_of(name) is not None
    assert bed.NAMES.owner_of(name) is None


def test_the_connection_s_socket_is_short_enough_for_the_kernel() -> None:
    longest = IMAGES.root / f"sampan-vms-{2**22}-{10**12}-{10**4}"
    # ssh makes it under a longer name, and renames it.
    assert len(str(_ssh(longest).socket)) + len(".0123456789abcdef") < 108


def test_an_image_s_key_is_of_all_that_it_contains() -> None:
    first = recipe.DEBIAN12
    found = {IMAGES.directory(each) for each in (first, recipe.DEBIAN13, replace(first, setup="true"))}
    for inputs in ((0, "6G"), (1, "1G")):
        found.add(replace(IMAGES, inputs=inputs).directory(first))
    assert len(found) == 5


@pytest.mark.parametrize("wanted", recipe.RECIPES, ids=lambda each: each.name)
def test_images_of_a_recipe_are_not_taken_for_another_s(wanted: Recipe) -> None:
    others = [each for each in recipe.RECIPES if each != wanted]
    assert not any(IMAGES.directory(each).match(f"{wanted.name}-*") for each in others)


def test_a_machine_is_told_its_name_and_writes_to_no_cached_disk() -> None:
    made = Hardware(
        name="debian12",
        image=Path("/cache/debian12"),
        disk=Path("/bed/debian12.qcow2"),
        seed=Path("/bed/debian12.seed"),
        tap="tap1",
        address=IPv4Address("10.77.0.11"),
    )
    words = qemu.command(made, Path("/bed/debian12.console"))
    assert "systemd.hostname=debian12" in words[words.index("-append") + 1].split()
    disks = [words[at + 1] for at, word in enumerate(words) if word == "-drive"]
    assert [disk.split(",")[0] for disk in disks] == ["file=/bed/debian12.qcow2", "file=/bed/debian12.seed"]
    assert "readonly=on" in disks[1]
    assert qemu.mac(made.address) == "52:54:00:4d:00:0b"


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in qemu.unusable()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name, path: "" if name.startswith("qemu") else f"/bin/{name}")
    assert qemu.unusable().startswith("needs qemu-system-x86_64, qemu-img (")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert "aarch64" in qemu.unusable()


def test_a_command_arrives_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other side's shell joins the words of ssh's command line, and splits them again."""
    _fake_ssh(tmp_path, monkeypatch, 'for last; do :; done; eval "set -- $last"; printf "%s|" "$@"; cat; exit 3')
    done = _ssh(tmp_path).call(
        ["sh", "-c", "echo 'a  b' $HOME"], input=b"in", timeout_s=10, environment={"A": "1 2"}, user="nobody"
    )
    assert done.stdout == b"runuser|-u|nobody|--|env|A=1 2|sh|-c|echo 'a  b' $HOME|in"
    assert done.returncode == 3


def test_a_broken_connection_is_no_result_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_ssh(tmp_path, monkeypatch, "echo lost >&2; exit 255")
    with pytest.raises(Unreachable, match="debian12: lost"):
        _ssh(tmp_path).call(["true"], input=b"", timeout_s=10, environment={}, user="root")


@dataclass
class _Said(Host):
    """A machine on which every command says the same."""

    name: str = "m"
    code: int = 0
    seen: list[tuple[Sequence[str], bytes]] = field(default_factory=list)

    @property
    def is_on(self) -> bool:
        return True

    def call(
        self, argv: Sequence[str], *, input: bytes, timeout_s: float, environment: Mapping[str, str], user: str
    ) -> subprocess.CompletedProcess[bytes]:
        self.seen.append((argv, input))
        return subprocess.CompletedProcess(argv, self.code, b"out\n", b"err\n")


def test_what_one_does_on_a_machine_is_running_commands() -> None:
    host = _Said()
    assert host.says("true") == "out"
    host.write("/a/b", "text", mode=0o600)
    argv, given = host.seen[-1]
    assert (list(argv[-3:]), given) == (["/a", "/a/b", "600"], b"text")
    failing = _Said(code=4)
    assert failing.run("false", check=False).returncode == 4
    assert not failing.exists("/a")
    with pytest.raises(CommandFailed, match="m: false ended with 4: err"):
        failing.run("false")


def _ssh(directory: Path) -> Ssh:
    return Ssh("debian12", IPv4Address("10.77.0.11"), Path("/run/netns/none"), directory / "key", directory)


def _fake_ssh(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    fake = directory / "ssh"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setattr("tests.vm.bed.ssh.clean_environment", lambda: {"PATH": f"{directory}:/usr/bin:/bin"})
