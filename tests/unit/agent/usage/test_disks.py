"""Trees of files within bounds, and where the engine keeps what containers write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.usage import diskmeter
from agent.usage.diskmeter import DiskMeter
from agent.usage.disks import TooLarge, Tree, files, space, tree, whole
from agent.usage.layers import layers
from agent.usage.targets import ContainerTarget, PodTarget, VolumeTarget
from tests.unit.agent.usage.texts import APP, SANDBOX, write


def counted(path: Path, *, most: int = 100) -> Tree:
    return tree(path, most=most, in_time=lambda: True)


def blocks(*paths: Path) -> int:
    return sum(path.lstat().st_blocks for path in paths) * 512


def test_a_tree_is_counted_as_du_does_it(tmp_path: Path) -> None:
    write(tmp_path, {"a": "x" * 10_000, "below/b": "y" * 100, "below/deeper/c": ""})
    every = [tmp_path, *tmp_path.rglob("*")]
    assert counted(tmp_path) == Tree(blocks(*every), len(every))


def test_a_file_with_several_names_counts_once(tmp_path: Path) -> None:
    write(tmp_path, {"a": "x" * 10_000})
    before = counted(tmp_path)
    os.link(tmp_path / "a", tmp_path / "b")
    assert counted(tmp_path) == before


def test_links_are_not_followed(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    write(tmp_path, {"outside/large": "x" * 100_000})
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path / "outside")
    assert counted(inside).inodes == 2
    with pytest.raises(OSError):
        counted(inside / "link")


def test_a_sparse_file_counts_by_its_blocks(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    assert counted(tmp_path).used_bytes < 1 << 20


@pytest.mark.parametrize("bound", ["files", "depth", "time"])
def test_a_count_beyond_its_bounds_is_given_up(tmp_path: Path, bound: str) -> None:
    write(tmp_path, {f"{number}": "" for number in range(9)})
    (tmp_path / "/".join("d" * 110)).mkdir(parents=True)
    bounds = {"files": 9, "depth": 1000, "time": 1000}
    with pytest.raises(TooLarge):
        tree(tmp_path, most=bounds[bound], in_time=lambda: bound != "time")


def test_single_files_may_be_missing(tmp_path: Path) -> None:
    write(tmp_path, {"log": "x" * 5000})
    assert files([tmp_path / "log", tmp_path / "log.1"]) == Tree(blocks(tmp_path / "log"), 1)


def test_file_systems(tmp_path: Path) -> None:
    found, all_of_it = space(tmp_path, 3.0), whole(tmp_path, 3.0)
    assert found is not None and all_of_it is not None
    assert found.used_bytes is None and found.at == 3.0 and 0 < found.available_bytes <= found.capacity_bytes
    assert all_of_it.used_bytes is not None and 0 < all_of_it.used_bytes <= all_of_it.capacity_bytes
    assert space(tmp_path / "missing", 0.0) is None and whole(tmp_path / "missing", 0.0) is None


OWN = b"27 1 254:0 / / rw - ext4 /dev/vda rw\n44 27 8:1 /data /var/lib/docker rw - ext4 /dev/sda rw\n"
OPTIONS = "rw,lowerdir=/l/A:/l/B,upperdir=/var/lib/docker/overlay2/abc/diff,workdir=/w"


def mounts(hostname: str = f"8:1 /data/containers/{SANDBOX}/hostname", options: str = OPTIONS) -> bytes:
    lines = (f"50 40 0:50 / / rw - overlay overlay {options}", f"51 50 {hostname} /etc/hostname rw - ext4 /dev/sda rw")
    return "\n".join(lines).encode()


def test_the_layer_and_the_log_of_a_container_are_found_by_its_mounts() -> None:
    found = layers(APP, mounts(), OWN)
    assert found.upper == Path("/var/lib/docker/overlay2/abc/diff")
    log = f"/var/lib/docker/containers/{APP}/{APP}-json.log"
    assert [str(path) for path in found.logs] == [log, f"{log}.1", f"{log}.2"]


@pytest.mark.parametrize(
    "lines",
    [b"50 40 0:50 / / rw - btrfs /dev/x rw", mounts("9:9 /data/c/x/hostname", "rw"), mounts("8:1 /other/h", "rw"), b""],
    ids=["no overlay", "a disk that is not here", "a part that is not here", "nothing"],
)
def test_what_cannot_be_found_has_no_figure(lines: bytes) -> None:
    found = layers(APP, lines, OWN)
    assert found.upper is None and found.logs == ()


def pods(volume: Path) -> tuple[PodTarget, ...]:
    app = ContainerTarget("app", APP, "app", "web:1")
    return (PodTarget("u1", "default", "web", 0.0, containers=(app,), volumes=(VolumeTarget("data", volume),)),)


def test_a_pods_volumes_layer_and_log_are_measured(tmp_path: Path) -> None:
    log = f"{APP}/{APP}-json.log"
    write(tmp_path, {"volume/file": "x" * 5000, "upper/file": "", f"containers/{log}": "l" * 9000})
    own = f"27 1 254:0 / {tmp_path} rw - ext4 /dev/vda rw\n"
    member = mounts(f"254:0 /containers/{SANDBOX}/hostname", f"rw,upperdir={tmp_path / 'upper'}")
    write(tmp_path, {"proc/self/mountinfo": own, "proc/7/mountinfo": member.decode()})
    meter = DiskMeter(tmp_path, lambda: 2.0, proc=tmp_path / "proc", monotonic=lambda: 0.0)
    report = meter.measure(pods(tmp_path / "volume"), {APP: 7})
    assert report.volumes[("u1", "data")].used_bytes == counted(tmp_path / "volume").used_bytes
    assert report.layers[APP].inodes_used == 2
    assert report.logs[APP].used_bytes == blocks(tmp_path / "containers" / log)
    assert report.state is not None and report.images is not None and report.images.at == 2.0
    gone = meter.measure((), {})
    assert (gone.volumes, gone.logs, gone.layers, gone.images) == ({}, {}, {}, None)


def test_a_volume_that_is_too_large_has_a_file_system_but_no_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(diskmeter, "MOST_FILES", 3)
    write(tmp_path, {f"volume/{number}": "" for number in range(4)})
    meter = DiskMeter(tmp_path, lambda: 2.0, monotonic=lambda: 0.0)
    with caplog.at_level("INFO"):
        found = [meter.measure(pods(tmp_path / "volume"), {}).volumes[("u1", "data")] for _ in range(2)]
    assert [each.used_bytes for each in found] == [None, None] and found[0].capacity_bytes > 0
    assert caplog.text.count("volume data of pod default/web") == 1


def test_a_part_of_a_large_volume_is_counted_if_that_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diskmeter, "MOST_FILES", 3)
    write(tmp_path, {f"volume/{number}": "x" * 5000 for number in range(9)})
    meter = DiskMeter(tmp_path, lambda: 2.0, monotonic=lambda: 0.0, partly=True)
    used = meter.measure(pods(tmp_path / "volume"), {}).volumes[("u1", "data")].used_bytes
    assert used is not None and 5000 < used < counted(tmp_path / "volume").used_bytes


def test_a_count_ends_when_the_agent_stops(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, {"volume/file": ""})
    meter = DiskMeter(tmp_path, lambda: 2.0)
    meter.stop()
    with caplog.at_level("INFO"):
        assert meter.measure(pods(tmp_path / "volume"), {}).volumes[("u1", "data")].used_bytes is None
    assert caplog.text == ""


def test_a_volume_that_is_not_there_yet_has_no_figure(tmp_path: Path) -> None:
    assert DiskMeter(tmp_path, lambda: 2.0).measure(pods(tmp_path / "volume"), {}).volumes == {}
