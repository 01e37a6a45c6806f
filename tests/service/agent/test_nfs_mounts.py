"""Mounts of shares by a command that stands for mount(8): its arguments, its complaints, and a server that hangs."""

from __future__ import annotations

import asyncio
import getopt
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.model import Nfs
from agent.volumes.errors import VolumeError
from agent.volumes.nfs import OF_ONE_SERVER, NfsMounts, arguments
from tests.fakes.sessions import until

pytestmark = pytest.mark.timeout(30)

# Writes down its arguments, and then does what the share's path says. "stuck": its child, which stands for mount.nfs in
# the kernel, cannot be killed.
_MOUNT = """
import subprocess, sys, time
log, *arguments = sys.argv[1:]
with open(log, "a") as file:
    print(*arguments, file=file)
if "/stuck" in arguments[-2]:
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    with open(log + ".pids", "a") as file:
        print(child.pid, file=file)
    child.wait()
if "/hangs" in arguments[-2]:
    time.sleep(600)
if "/refused" in arguments[-2]:
    sys.exit("mount.nfs: access denied by server")
"""


class Bed:
    def __init__(self, directory: Path) -> None:
        self.log, self.directory = directory / "log", directory / "volumes"
        self.log.touch()

    def mounts(self, *, deadline_s: float = 20.0) -> NfsMounts:
        return NfsMounts([sys.executable, "-c", _MOUNT, str(self.log)], deadline_s=deadline_s)

    def pids(self) -> list[int]:
        """The children that cannot be killed."""
        file = self.log.with_name("log.pids")
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    @contextmanager
    def stuck(self) -> Iterator[None]:
        """Commands are stuck until the end of this context."""
        try:
            yield
        finally:
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


def test_the_arguments_are_those_of_mount() -> None:
    at = Path("/v")
    assert arguments(Nfs("s", "/x"), at) == ["-t", "nfs", "--", "s:/x", "/v"]
    read_only = Nfs("fd00::1", "/x", read_only=True, mount_options=("nfsvers=4.2", "soft"))
    assert arguments(read_only, at) == ["-t", "nfs", "-o", "nfsvers=4.2,soft,ro", "--", "[fd00::1]:/x", "/v"]


async def test_a_share_is_mounted_at_a_directory_that_is_made(bed: Bed) -> None:
    await bed.mounts().mount(Nfs("s", "/data"), bed.directory / "v")
    assert bed.calls() == [f"-t nfs -- s:/data {bed.directory}/v"] and (bed.directory / "v").is_dir()


def test_a_server_that_looks_like_an_option(tmp_path: Path) -> None:
    # Otherwise mount(8) would take what to mount from a file that the pod may have written.
    share = Nfs(f"-T{tmp_path}/fstab", "/x")
    options, operands = getopt.getopt(arguments(share, Path("/v")), "t:o:T:")
    assert options == [("-t", "nfs")] and operands == [f"-T{tmp_path}/fstab:/x", "/v"]


async def test_a_path_with_a_character_0_is_refused(bed: Bed) -> None:
    with pytest.raises(VolumeError, match="cannot be mounted: embedded null byte"):
        await bed.mounts().mount(Nfs("s", "/a\0b"), bed.directory / "v")


async def test_the_complaint_of_the_command_is_the_reason(bed: Bed) -> None:
    with pytest.raises(VolumeError, match=r"s:/refused cannot be mounted: mount.nfs: access denied by server"):
        await bed.mounts().mount(Nfs("s", "/refused"), bed.directory / "v")


async def test_a_host_without_the_command_says_so(bed: Bed) -> None:
    with pytest.raises(VolumeError, match="No such file or directory"):
        await NfsMounts(["/nonexistent/mount"]).mount(Nfs("s", "/x"), bed.directory / "v")


async def test_a_server_that_hangs_stops_no_other_server(bed: Bed) -> None:
    mounts = bed.mounts()
    hung = [
        asyncio.create_task(mounts.mount(Nfs("slow", f"/hangs/{n}"), bed.directory / str(n)))
        for n in range(OF_ONE_SERVER + 20)
    ]
    await mounts.mount(Nfs("fast", "/data"), bed.directory / "v")
    assert sum("/hangs" in call for call in bed.calls()) <= OF_ONE_SERVER
    for task in hung:
        task.cancel()
    await asyncio.gather(*hung, return_exceptions=True)
    await asyncio.gather(*mounts.given_up.values())


async def test_a_mount_has_a_deadline(bed: Bed) -> None:
    mounts = bed.mounts(deadline_s=0.01)
    with pytest.raises(VolumeError, match=r"not mounted within 0\.01 s"):
        await mounts.mount(Nfs("slow", "/hangs"), bed.directory / "v")
    await asyncio.gather(*mounts.given_up.values())


async def test_a_command_that_cannot_be_killed_keeps_its_directory_and_its_place_of_the_server(bed: Bed) -> None:
    mounts, share = bed.mounts(), Nfs("dead", "/stuck")
    with bed.stuck():
        for number in range(OF_ONE_SERVER):
            mounting = asyncio.create_task(mounts.mount(share, bed.directory / f"{number}"))
            await until(lambda: len(bed.pids()) == number + 1)  # noqa: B023 - waited for at once
            mounting.cancel()
            await asyncio.wait({mounting})
        assert len(mounts.given_up) == OF_ONE_SERVER
        patience_s, mounts.deadline_s = mounts.deadline_s, 0.05
        with pytest.raises(VolumeError, match="the command hangs"):
            await mounts.mount(share, bed.directory / "0")
        with pytest.raises(VolumeError, match="not mounted within"):
            await mounts.mount(share, bed.directory / "other")
        assert len(bed.calls()) == OF_ONE_SERVER, "no command was started"
        mounts.deadline_s = patience_s
        await mounts.mount(Nfs("alive", "/data"), bed.directory / "v")
        again = asyncio.create_task(mounts.mount(Nfs("dead", "/data"), bed.directory / "0"))
    await again
    assert bed.calls()[-1].endswith(f"dead:/data {bed.directory}/0") and not mounts.given_up
