"""How the containers of a pod mount its volumes: propagation, sub-paths, and volumes that are not supported."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agent.handlers import Checks, RunCommand
from agent.model import Container, EmptyDir, EnvVar, Pod, UnsupportedVolume, Volume, VolumeMount
from agent.pods.interface import HostSecurity
from agent.pods.names import instance_name
from agent.runtime.records import ContainerPhase
from agent.statuses import Waiting
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod


def mounting(mount: VolumeMount, *variables: EnvVar) -> Pod:
    """A pod with an empty volume that its container mounts."""
    container = Container("app", IMAGE, env=variables, volume_mounts=(mount,))
    return pod(containers=(container,), volumes=(Volume("data", EmptyDir()),))


async def test_an_unsupported_volume_keeps_its_pod_waiting(bed: Bed) -> None:
    mounted = Container("app", IMAGE, volume_mounts=(VolumeMount("data", "/d"),))
    web = pod(containers=(mounted,), volumes=(Volume("data", UnsupportedVolume("nfs")),))
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await bed.clock.advance(30)
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "ContainerCreating" and "nfs" in state.message
        events = [event for event in bed.reporter.events if event.reason == "FailedMount"]
        assert events and all(event.warning and "nfs is not supported" in event.message for event in events)
        assert not bed.engine.named("app")


@pytest.mark.parametrize(
    ("asked", "made"), [("", ""), ("HostToContainer", "rslave"), ("Bidirectional", "rshared")], ids=str
)
async def test_later_mounts_are_shared_as_the_pod_asks(bed: Bed, asked: str, made: str) -> None:
    web = mounting(VolumeMount("data", "/d", propagation=asked))
    async with bed.running(web):
        spec = bed.engine.specs[bed.engine.named("app")[0].id]
        assert [mount.propagation for mount in spec.mounts if mount.target == "/d"] == [made]


async def test_a_propagation_that_only_a_newer_master_knows_is_refused(bed: Bed) -> None:
    web = mounting(VolumeMount("data", "/d", propagation="Sideways"))
    async with bed.running(web):
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "CreateContainerConfigError"
        assert "mountPropagation Sideways is not supported" in state.message


async def test_a_sub_path_may_contain_variables(bed: Bed) -> None:
    mount = VolumeMount("data", "/d", sub_path_expr="logs/$(WHO)")
    web = mounting(mount, EnvVar("WHO", field_path="metadata.name"))
    async with bed.running(web):
        spec = bed.engine.specs[bed.engine.named("app")[0].id]
        (source,) = [mount.source for mount in spec.mounts if mount.target == "/d"]
        inside = bed.binds.mounted[Path(source)]
        assert str(inside).endswith("/volumes/data/logs/web") and inside.is_dir()


@pytest.mark.parametrize(
    ("expression", "named"),
    [("$(NONE)/x", "NONE"), ("a/$(UP)", "must not contain '..'"), ("$(ABSOLUTE)", "must not be an absolute path")],
)
async def test_a_sub_path_that_its_variables_make_wrong_is_refused(bed: Bed, expression: str, named: str) -> None:
    mount = VolumeMount("data", "/d", sub_path_expr=expression)
    web = mounting(mount, EnvVar("UP", "../../.."), EnvVar("ABSOLUTE", "/etc"))
    async with bed.running(web):
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "CreateContainerConfigError" and named in state.message
        assert not bed.binds.mounted


@pytest.mark.parametrize(("able", "expected"), [(True, (1,)), (False, ())])
async def test_what_is_mounted_below_is_read_only_where_that_is_possible(
    bed: Bed, able: bool, expected: tuple[int, ...]
) -> None:
    bed.config = replace(bed.config, security=HostSecurity(read_only_trees=able))
    mounts = (
        VolumeMount("data", "/plain", read_only=True),
        VolumeMount("data", "/tree", read_only=True, recursive_read_only="IfPossible"),
        VolumeMount("data", "/writable", recursive_read_only="IfPossible"),
    )
    app = Container("app", IMAGE, volume_mounts=mounts)
    web = pod(containers=(app,), volumes=(Volume("data", EmptyDir()),))
    async with bed.running(web):
        (status,) = bed.reporter.statuses[UID].containers
        assert status.read_only_trees == expected
        (spec,) = bed.engine.specs.values()
        sources = {mount.target: Path(mount.source) for mount in spec.mounts}
        assert bed.binds.read_only == ({sources["/tree"]} if able else set())
        assert (sources["/tree"] == sources["/plain"]) is not able
        # The container has its own copy.
        assert not bed.binds.mounted
    # It stays as it was mounted, whatever a later agent could do.
    bed.config = replace(bed.config, security=HostSecurity(read_only_trees=not able))
    async with bed.running(web):
        assert bed.reporter.statuses[UID].containers[0].read_only_trees == expected


def with_tree() -> Pod:
    """A pod with a container that mounts a read-only tree."""
    mount = VolumeMount("data", "/tree", read_only=True, recursive_read_only="Enabled")
    return pod(containers=(Container("app", IMAGE, volume_mounts=(mount,)),), volumes=(Volume("data", EmptyDir()),))


async def test_a_tree_stays_until_its_container_has_started_also_across_a_restart_of_the_agent(bed: Bed) -> None:
    bed.config = replace(bed.config, security=HostSecurity(read_only_trees=True))
    web = with_tree()
    start = f"start {instance_name(UID, 'app', 0)}"
    bed.engine.stick(start)
    async with bed.running(web):
        assert bed.engine.named("app")[0].phase is ContainerPhase.CREATED and len(bed.binds.mounted) == 1
    bed.engine.unstick(start)
    async with bed.running(web):
        assert bed.engine.named("app")[0].running and not bed.binds.mounted


async def test_what_an_agent_left_that_was_killed_after_a_start_is_unmounted_by_the_next_one(bed: Bed) -> None:
    bed.config = replace(bed.config, security=HostSecurity(read_only_trees=True))
    web = with_tree()
    async with bed.running(web):
        (spec,) = bed.engine.specs.values()
    (source,) = [Path(mount.source) for mount in spec.mounts if mount.target == "/tree"]
    bed.binds.mounted[source] = source
    async with bed.running(web):
        assert not bed.binds.mounted


async def test_the_next_instance_of_a_container_has_new_trees(bed: Bed) -> None:
    bed.config = replace(bed.config, security=HostSecurity(read_only_trees=True))
    async with bed.running(with_tree()):
        for _ in range(2):
            bed.engine.end(bed.engine.named("app")[-1].id, 1)
            await bed.clock.advance(30)
            newest = bed.engine.named("app")[-1]
            assert newest.running and not bed.binds.mounted
            (source,) = [Path(mount.source) for mount in bed.engine.specs[newest.id].mounts if mount.target == "/tree"]
            assert source in bed.binds.read_only
            bed.binds.read_only.clear()


async def test_a_container_with_trees_is_created_when_it_may_start(bed: Bed) -> None:
    bed.config = replace(bed.config, security=HostSecurity(read_only_trees=True))
    hook = RunCommand(("sleep", "1d"))
    hanging = bed.prober.held[hook] = asyncio.Event()
    (app,) = with_tree().containers
    first = Container("first", IMAGE, checks=Checks(post_start=hook))
    async with bed.running(replace(with_tree(), containers=(first, app))):
        assert not bed.engine.named("app") and not bed.binds.mounted
        hanging.set()
        await settle()
        assert bed.engine.named("app")[0].running and not bed.binds.mounted
