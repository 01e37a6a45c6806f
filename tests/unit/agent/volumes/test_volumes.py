"""Volumes in a temporary directory: their content after preparing, after a change, and after cleaning."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model import (
    ConfigMap,
    Container,
    Desired,
    EmptyDir,
    FilesVolume,
    HostPath,
    KeysSource,
    KeyToPath,
    ObjectRef,
    Pod,
    PodUid,
    Resources,
    Secret,
    UnsupportedVolume,
    Volume,
    VolumeMount,
    VolumeSource,
)
from agent.statuses import Capacity
from agent.volumes.errors import VolumeError
from agent.volumes.manager import Volumes
from agent.volumes.subpaths import SubPath
from tests.unit.agent.fakes import FakeBinds, FakeMemoryFiles

UID = PodUid("u1")
CONFIG, SECRET = ObjectRef("default", "c"), ObjectRef("default", "s")
DESIRED = Desired(
    pods={},
    config_maps={CONFIG: ConfigMap(CONFIG, {"a": b"1", "b": b"\x00\xff"})},
    secrets={SECRET: Secret(SECRET, {"pw": b"x"})},
)


GROUP = os.getegid()
"""The only group that a test without privileges may give files to."""


def keys_volume(
    name: str, *, secret: bool, items: tuple[KeyToPath, ...] = (), default_mode: int = 0o644, optional: bool = False
) -> FilesVolume:
    return FilesVolume((KeysSource(name, secret, items, optional),), default_mode, in_memory=secret)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Bed:
    def __init__(self, directory: Path) -> None:
        self.memory = FakeMemoryFiles()
        self.root = directory / "root"
        self.root.mkdir()
        self.binds = FakeBinds()
        self.volumes = Volumes(
            state_dir=directory / "state", host_path_root=self.root, memory=self.memory, binds=self.binds
        )

    async def prepare(self, source: VolumeSource, desired: Desired = DESIRED, *, group: int | None = None) -> Path:
        volumes = (Volume("v", source),)
        self.pod = Pod(UID, "default", "web", (Container("app", "web:1"),), volumes=volumes, fs_group=group)
        return (await self.volumes.prepare(self.pod, desired))["v"]

    async def mounted(self, volume: Path, path: str) -> Path:
        """What a container gets for a path inside a volume."""
        target = await self.volumes.mount_source(self.pod, volume, SubPath("v", path, "app", 0))
        assert target.is_relative_to(self.volumes.directory(UID) / "subpaths")
        assert target.is_dir() == self.binds.mounted[target].is_dir()
        return self.binds.mounted[target]


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


async def test_empty_dir_keeps_its_content_and_is_removed_with_the_pod(bed: Bed) -> None:
    path = await bed.prepare(EmptyDir())
    assert stat.S_IMODE(path.stat().st_mode) == 0o777
    (path / "f").write_text("kept")
    assert ((await bed.prepare(EmptyDir())) / "f").read_text() == "kept"
    assert bed.volumes.on_disk() == {UID}
    await bed.volumes.clean(UID)
    assert bed.volumes.on_disk() == frozenset() and not path.exists()
    await bed.volumes.clean(UID)


async def test_empty_dir_of_a_killed_agent_is_completed(bed: Bed) -> None:
    half_made = bed.volumes.directory(UID) / "volumes" / "v.new"
    half_made.mkdir(parents=True, mode=0o700)
    path = await bed.prepare(EmptyDir())
    assert stat.S_IMODE(path.stat().st_mode) == 0o777 and not half_made.exists()


async def test_an_empty_dir_belongs_to_the_group_of_the_pod(bed: Bed) -> None:
    path = await bed.prepare(EmptyDir(), group=GROUP)
    assert mode_of(path) == 0o2777 and path.stat().st_gid == GROUP
    path.chmod(0o700)
    assert mode_of(await bed.prepare(EmptyDir(), group=GROUP)) == 0o700, "what the pod has changed stays"
    memory = await bed.prepare(EmptyDir("Memory"), group=GROUP)
    assert bed.memory.groups == {memory: GROUP}


@pytest.mark.parametrize(
    ("mode", "group", "expected"),
    [(0o1777, None, 0o1777), (0o700, None, 0o700), (0o700, GROUP, 0o2770), (0, None, 0)],
)
async def test_an_empty_dir_has_the_mode_of_its_volume(bed: Bed, mode: int, group: int | None, expected: int) -> None:
    assert mode_of(await bed.prepare(EmptyDir(mode=mode), group=group)) == expected
    memory = await bed.prepare(EmptyDir("Memory", mode=mode), group=group)
    assert bed.memory.modes == {memory: mode}


async def test_memory_volume_is_mounted_with_its_size_and_unmounted(bed: Bed) -> None:
    path = await bed.prepare(EmptyDir("Memory", 4096))
    assert bed.memory.mounted == {path: 4096}
    await bed.volumes.clean(UID)
    assert bed.memory.mounted == {}


@pytest.mark.parametrize(
    ("own", "containers", "node", "expected"),
    [
        (0, (), 0, 0),
        (0, (), 9000, 9000),
        (5000, (100, 200), 9000, 300),
        (200, (100, 200), 9000, 200),
        (0, (100, 0), 9000, 9000),
        (5000, (100, 0), 9000, 5000),
        (0, (5000, 5000), 9000, 9000),
    ],
    ids=["no bound", "node", "pod", "own", "a container without", "own without that of the pod", "pod beyond the node"],
)
async def test_a_volume_in_memory_is_not_larger_than_what_the_pod_may_use(
    tmp_path: Path, own: int, containers: tuple[int, ...], node: int, expected: int
) -> None:
    memory = FakeMemoryFiles()
    volumes = Volumes(
        state_dir=tmp_path,
        host_path_root=tmp_path,
        memory=memory,
        binds=FakeBinds(),
        node=Capacity(cpu_millis=0, memory_bytes=node, pods=0),
    )
    limited = tuple(
        Container(f"c{number}", "web:1", resources=Resources(memory_limit_bytes=limit))
        for number, limit in enumerate(containers or (0,))
    )
    await volumes.prepare(Pod(UID, "default", "web", limited, volumes=(Volume("v", EmptyDir("Memory", own)),)), DESIRED)
    assert list(memory.mounted.values()) == [expected]


async def test_released_volumes_are_gone_and_the_other_files_of_the_pod_stay(bed: Bed) -> None:
    volume, memory = await bed.prepare(EmptyDir()), await bed.prepare(EmptyDir("Memory"))
    host = await bed.prepare(HostPath("/data"))
    await bed.mounted(volume, "part")
    other = bed.volumes.directory(UID) / "verdict.json"
    other.write_text("{}")
    await bed.volumes.release(UID)
    await bed.volumes.release(UID)
    assert not volume.exists() and not memory.exists() and host.is_dir() and other.exists()
    assert not bed.binds.mounted and not bed.memory.mounted
    assert (await bed.prepare(EmptyDir())).is_dir()


async def test_host_path_is_created_below_the_root_and_never_removed(bed: Bed) -> None:
    path = await bed.prepare(HostPath("/data/x"))
    assert path == bed.root / "data/x" and path.is_dir()
    await bed.volumes.clean(UID)
    assert path.is_dir()


@pytest.mark.parametrize(
    ("kind", "there", "fails"),
    [
        ("Directory", "", True),
        ("Directory", "directory", False),
        ("Directory", "file", True),
        ("DirectoryOrCreate", "", False),
        ("File", "", True),
        ("File", "file", False),
        ("FileOrCreate", "", False),
        ("FileOrCreate", "directory", True),
        ("Socket", "file", True),
        ("", "file", False),
        ("Nonsense", "file", True),
    ],
)
async def test_host_path_types(bed: Bed, kind: str, there: str, fails: bool) -> None:
    if there == "directory":
        (bed.root / "p").mkdir()
    elif there == "file":
        (bed.root / "p").touch()
    if fails:
        with pytest.raises(VolumeError):
            await bed.prepare(HostPath("/p", kind))
    else:
        assert (await bed.prepare(HostPath("/p", kind))).exists()


async def test_host_path_does_not_leave_the_root(bed: Bed) -> None:
    with pytest.raises(VolumeError, match=r"\.\."):
        await bed.prepare(HostPath("/../../etc"))


@pytest.mark.parametrize("kind", ["", "Directory", "DirectoryOrCreate"])
async def test_host_path_does_not_follow_a_link_out_of_the_root(bed: Bed, tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret").mkdir()
    (bed.root / "out").symlink_to(tmp_path)
    (bed.root / "data").mkdir()
    (bed.root / "in").symlink_to("data")
    for path in ("/out", "/out/secret", "/out/made"):
        with pytest.raises(VolumeError, match="leads out"):
            await bed.prepare(HostPath(path, kind))
    assert not (tmp_path / "made").exists()
    assert await bed.prepare(HostPath("/in", kind)) == bed.root / "data"


async def test_config_map_files_change_together(bed: Bed) -> None:
    source = keys_volume("c", secret=False, default_mode=0o640)
    path = await bed.prepare(source)
    assert (path / "a").read_bytes() == b"1" and (path / "b").read_bytes() == b"\x00\xff"
    assert stat.S_IMODE((path / "a").stat().st_mode) == 0o640
    changed = replace(DESIRED, config_maps={CONFIG: ConfigMap(CONFIG, {"a": b"2"})})
    await bed.prepare(source, changed)
    assert (path / "a").read_bytes() == b"2" and not (path / "b").exists()
    assert sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("..")) == ["a"]
    assert len(list(path.iterdir())) == 3, "the old version is removed"


async def test_items_choose_and_rename(bed: Bed) -> None:
    path = await bed.prepare(keys_volume("c", secret=False, items=(KeyToPath("a", "deep/er/x"),)))
    assert (path / "deep/er/x").read_bytes() == b"1" and not (path / "b").exists()


async def test_each_file_may_have_its_own_mode(bed: Bed) -> None:
    items = (KeyToPath("a", "a", 0o400), KeyToPath("b", "b", 0), KeyToPath("b", "c"))
    path = await bed.prepare(keys_volume("c", secret=False, items=items, default_mode=0o640))
    assert [mode_of(path / name) for name in "abc"] == [0o400, 0, 0o640]
    other = (KeyToPath("a", "a", 0o444), *items[1:])
    await bed.prepare(keys_volume("c", secret=False, items=other, default_mode=0o640))
    assert mode_of(path / "a") == 0o444


@pytest.mark.parametrize("secret", [False, True])
async def test_the_group_of_the_pod_may_read_every_file(bed: Bed, secret: bool) -> None:
    keys = replace(DESIRED, secrets={SECRET: Secret(SECRET, {"a": b"1"})})
    source = keys_volume("s" if secret else "c", secret=secret, items=(KeyToPath("a", "deep/a"),), default_mode=0o400)
    path = await bed.prepare(source, keys)
    assert mode_of(path / "deep/a") == 0o400
    await bed.prepare(source, keys, group=GROUP)
    assert mode_of(path / "deep/a") == 0o440
    assert mode_of(path / "deep") == mode_of(path / "..data/deep") == 0o2755
    assert {entry.stat().st_gid for entry in (path / "deep", path / "deep/a", path / "..data")} == {GROUP}
    assert bed.memory.groups.get(path) is None  # mounted before the pod had a group, or not in memory


async def test_secret_is_in_memory(bed: Bed) -> None:
    path = await bed.prepare(keys_volume("s", secret=True, default_mode=0o600))
    assert path in bed.memory.mounted and (path / "pw").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("source", "desired", "named"),
    [
        (keys_volume("none", secret=False), DESIRED, 'config map "default/none" not found'),
        (keys_volume("none", secret=True), replace(DESIRED, secrets_known=False), "waiting for the master"),
        (keys_volume("c", secret=False, items=(KeyToPath("no", "x"),)), DESIRED, 'no key "no"'),
        (keys_volume("c", secret=False, items=(KeyToPath("a", "../x"),)), DESIRED, "not a path inside"),
        (keys_volume("c", secret=False, default_mode=0o4755), DESIRED, "not between 0 and 777"),
        (UnsupportedVolume("nfs"), DESIRED, "nfs is not supported"),
        (EmptyDir("HugePages"), DESIRED, '"HugePages" is not supported'),
    ],
)
async def test_the_error_names_the_volume(bed: Bed, source: VolumeSource, desired: Desired, named: str) -> None:
    with pytest.raises(VolumeError, match=named):
        await bed.prepare(source, desired)


async def test_a_missing_optional_volume_is_empty(bed: Bed) -> None:
    path = await bed.prepare(keys_volume("none", secret=False, optional=True))
    assert [entry for entry in path.iterdir() if not entry.name.startswith("..")] == []


async def test_a_sub_path_that_is_missing_gets_the_mode_of_its_volume(bed: Bed) -> None:
    volume = await bed.prepare(EmptyDir(), group=GROUP)
    made = await bed.mounted(volume, "a/b")
    assert {mode_of(made), mode_of(made.parent)} == {0o2777}
    assert made.stat().st_gid == GROUP


async def test_sub_path_stays_inside(bed: Bed, tmp_path: Path) -> None:
    volume = await bed.prepare(EmptyDir())
    assert await bed.mounted(volume, "a/b") == volume / "a/b"
    (volume / "out").symlink_to(tmp_path)
    (volume / "a/in").symlink_to("../a/b/c")
    for path in ("out/x", "out", "../x", "a/../../x"):
        with pytest.raises(VolumeError, match="leads out"):
            await bed.mounted(volume, path)
    assert await bed.mounted(volume, "a/in") == volume / "a/b/c" and not (tmp_path / "x").exists()


async def test_a_sub_path_of_another_type_replaces_that_of_the_container_before(bed: Bed) -> None:
    volume = await bed.prepare(EmptyDir())
    for _ in range(2):
        (volume / "p").write_text("a file")
        assert await bed.mounted(volume, "p") == volume / "p"
        (volume / "p").unlink()
        assert (await bed.mounted(volume, "p")).is_dir()
        (volume / "p").rmdir()
    await bed.volumes.clean(UID)
    assert not bed.binds.mounted and not bed.volumes.directory(UID).exists()


@pytest.mark.parametrize("secret", [False, True])
async def test_a_volume_can_be_mounted_below_a_volume_of_keys(bed: Bed, secret: bool) -> None:
    source = keys_volume("s" if secret else "c", secret=secret)
    mounts = (
        VolumeMount("v", "/c"),
        VolumeMount("tls", "/c/ssl/private"),
        VolumeMount("tls", "/other"),
        VolumeMount("tls", "/c/../etc"),
        VolumeMount("tls", "/c/a/below"),
    )
    containers = (Container("app", "web:1", volume_mounts=mounts),)
    volumes = (Volume("v", source), Volume("tls", EmptyDir()))
    web = Pod(UID, "default", "web", containers, volumes=volumes)
    for desired in (DESIRED, replace(DESIRED, config_maps={CONFIG: ConfigMap(CONFIG, {"a": b"2"})})):
        path = (await bed.volumes.prepare(web, desired))["v"]
        assert (path / "ssl/private").is_dir() and mode_of(path / "ssl/private") == 0o755
        names = {entry.name for entry in path.iterdir() if not entry.name.startswith("..")}
        assert names - {"a", "b", "pw"} == {"ssl"}
    assert not (path.parent / "etc").exists()


@pytest.mark.parametrize("keys", [("a", "ssl", "a"), ("ssl", "a", "ssl")])
async def test_a_key_comes_and_goes_where_another_volume_is_mounted(bed: Bed, keys: tuple[str, ...]) -> None:
    mounts = (VolumeMount("v", "/c"), VolumeMount("tls", "/c/ssl"), VolumeMount("tls", "/c/..data_new"))
    volumes = (Volume("v", keys_volume("c", secret=False)), Volume("tls", EmptyDir()))
    web = Pod(UID, "default", "web", (Container("app", "web:1", volume_mounts=mounts),), volumes=volumes)
    for key in keys:
        changed = replace(DESIRED, config_maps={CONFIG: ConfigMap(CONFIG, {key: b"2", "other": b"3"})})
        path = (await bed.volumes.prepare(web, changed))["v"]
        assert (path / "other").read_bytes() == b"3"
        # Whichever came first: the engine finds something to mount at, and a key that is hidden does no harm.
        assert os.path.lexists(path / "ssl")
        if key == "a":
            assert (path / "ssl").is_dir() and (path / "a").read_bytes() == b"2"
