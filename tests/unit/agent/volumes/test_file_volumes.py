"""Volumes with files of several sources: the downward API, projected volumes, and their tokens."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model import (
    ConfigMap,
    Container,
    Desired,
    DownwardFile,
    DownwardSource,
    FilesVolume,
    KeysSource,
    KeyToPath,
    ObjectRef,
    Pod,
    PodUid,
    ResourceField,
    Secret,
    SecurityContext,
    TokenSource,
    Volume,
)
from agent.statuses import Capacity
from agent.volumes.errors import VolumeError
from agent.volumes.interface import Tokens
from agent.volumes.manager import Volumes
from tests.unit.agent.fakes import FakeBinds, FakeMemoryFiles

CONFIG, SECRET = ObjectRef("default", "c"), ObjectRef("default", "s")
DESIRED = Desired(
    pods={},
    config_maps={CONFIG: ConfigMap(CONFIG, {"a": b"1", "b": b"2"})},
    secrets={SECRET: Secret(SECRET, {"pw": b"x"})},
)
POD = Pod(PodUid("u1"), "default", "web", (Container("app", "web:1"),), labels={"app": "web"})
TOKEN = TokenSource("token", "vault", 600)
ALL = FilesVolume(
    (
        KeysSource("c", secret=False, items=(KeyToPath("a", "conf/a", 0o400),)),
        KeysSource("s", secret=True),
        DownwardSource(
            (
                DownwardFile("labels", "metadata.labels", mode=0o440),
                DownwardFile("cpu", resource=ResourceField("cpu", 1000)),
            )
        ),
        TOKEN,
    ),
    0o644,
)


class Bed:
    def __init__(self, directory: Path) -> None:
        self.memory = FakeMemoryFiles()
        self.volumes = Volumes(
            state_dir=directory,
            host_path_root=directory,
            memory=self.memory,
            binds=FakeBinds(),
            node=Capacity(cpu_millis=2000, memory_bytes=0, pods=1),
        )

    async def prepare(
        self,
        source: FilesVolume,
        pod: Pod = POD,
        desired: Desired = DESIRED,
        *,
        tokens: Mapping[TokenSource, bytes] | None = None,
    ) -> Path:
        web = replace(pod, volumes=(Volume("v", source),))
        return (
            await self.volumes.prepare(web, desired, Tokens({TOKEN: b"t1"} if tokens is None else tokens, "no session"))
        )["v"]


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_projected_volume_has_the_files_of_all_its_sources_in_memory(bed: Bed) -> None:
    path = await bed.prepare(ALL)
    files = {name: (path / name).read_bytes() for name in ("conf/a", "pw", "labels", "cpu", "token")}
    assert files == {"conf/a": b"1", "pw": b"x", "labels": b'app="web"', "cpu": b"2", "token": b"t1"}
    assert path in bed.memory.mounted
    assert [mode_of(path / name) for name in ("conf/a", "labels", "token")] == [0o400, 0o440, 0o644]


async def test_a_changed_label_and_a_new_token_are_switched_together(bed: Bed) -> None:
    path = await bed.prepare(ALL)
    before = (path / "..data").readlink()
    await bed.prepare(ALL, replace(POD, labels={"app": "other"}), tokens={TOKEN: b"t2"})
    assert (path / "labels").read_bytes() == b'app="other"' and (path / "token").read_bytes() == b"t2"
    assert (path / "..data").readlink() != before and not (path / before).exists()


async def test_a_token_that_cannot_be_had_stays_as_it_was(bed: Bed) -> None:
    with pytest.raises(VolumeError, match=r"no token of service account .*no session"):
        await bed.prepare(ALL, tokens={})
    path = await bed.prepare(ALL)
    await bed.prepare(ALL, replace(POD, labels={}), tokens={})
    assert (path / "token").read_bytes() == b"t1" and (path / "labels").read_bytes() == b""


async def test_only_the_volume_that_the_api_added_does_without_a_token_while_the_master_is_away(bed: Bed) -> None:
    away = Tokens({}, "no session", given_up=True)
    added = Volume("kube-api-access-x", ALL)
    path = (await bed.volumes.prepare(replace(POD, volumes=(added,)), DESIRED, away))[added.name]
    assert (path / "labels").read_bytes() == b'app="web"' and not (path / "token").exists()
    await bed.volumes.prepare(replace(POD, volumes=(added,)), DESIRED, Tokens({TOKEN: b"t1"}))
    assert (path / "token").read_bytes() == b"t1"
    with pytest.raises(VolumeError, match="no token"):
        await bed.volumes.prepare(replace(POD, volumes=(Volume("own", ALL),)), DESIRED, away)


async def test_a_token_is_for_the_common_user_and_the_group_of_the_pod_only(bed: Bed) -> None:
    one = SecurityContext(run_as_user=os.getuid())
    app, other = Container("app", "web:1", security=one), Container("other", "web:1", security=one)
    path = await bed.prepare(ALL, replace(POD, containers=(app, other)))
    assert mode_of(path / "token") == 0o600 and (path / "token").stat().st_uid == os.getuid()
    path = await bed.prepare(ALL, replace(POD, containers=(app, replace(other, security=SecurityContext()))))
    assert mode_of(path / "token") == 0o644, "the users differ"
    path = await bed.prepare(ALL, replace(POD, fs_group=os.getegid()))
    assert mode_of(path / "token") == 0o640 and (path / "token").stat().st_gid == os.getegid()


async def test_of_two_files_with_the_same_path_the_later_source_counts(bed: Bed) -> None:
    source = FilesVolume((KeysSource("c", secret=False), DownwardSource((DownwardFile("a", "metadata.name"),))))
    path = await bed.prepare(source)
    assert (path / "a").read_bytes() == b"web" and (path / "b").read_bytes() == b"2"


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (KeysSource("none", secret=False), 'config map "default/none" not found'),
        (KeysSource("s", secret=True, items=(KeyToPath("no", "x"),)), 'secret "default/s" has no key "no"'),
        (DownwardSource((DownwardFile("x", "spec.nodeName"),)), "not supported"),
        (
            DownwardSource((DownwardFile("x", resource=ResourceField("cpu", 1, problem="container y not found")),)),
            "y not found",
        ),
        (DownwardSource((DownwardFile("../x", "metadata.name"),)), "not a path inside"),
    ],
)
async def test_a_source_that_cannot_be_read_is_named(bed: Bed, source: KeysSource | DownwardSource, named: str) -> None:
    with pytest.raises(VolumeError, match=named):
        await bed.prepare(FilesVolume((source,)))


async def test_optional_sources_may_be_missing(bed: Bed) -> None:
    sources = (
        KeysSource("none", secret=False, optional=True),
        KeysSource("none", secret=True, optional=True),
        KeysSource("s", secret=True),
    )
    path = await bed.prepare(FilesVolume(sources))
    assert [entry.name for entry in path.iterdir() if not entry.name.startswith("..")] == ["pw"]


@pytest.mark.parametrize("user", [-1, 1 << 31, (1 << 32) - 1])
async def test_what_cannot_be_a_user_owns_no_file(bed: Bed, user: int) -> None:
    with pytest.raises(VolumeError, match="is not the id of a user"):
        await bed.prepare(FilesVolume((KeysSource("c", secret=False, user=user),)))
