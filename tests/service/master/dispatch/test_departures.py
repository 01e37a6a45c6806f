"""What a node may ask for itself over real gRPC: its membership, drain and removal; and nothing about other nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from agent.identity.files import Identity
from agent.session.channel import Master
from agent.session.errors import Occupied, Refused
from master import kinds
from master.api.errors import ApiError
from master.dispatch.convert import node_address
from master.kinds.core.node import Node, NodeSpec, Taint
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import Pod, PodSpec
from master.objects.meta import ObjectMeta, OwnerReference
from master.pki import Pki
from proto.gen import session_pb2
from tests.fakes.sessions import CALLER, GRACE_S, TOKEN, AgentEnd, MasterEnd, master_end, until

pytestmark = pytest.mark.timeout(30)

_CALL_S = 5.0
HERE = session_pb2.Machine()
"""As agents of older releases send it."""


@pytest_asyncio.fixture
async def master(pki: Pki) -> AsyncIterator[MasterEnd]:
    async with master_end(pki) as end:
        yield end


async def pod_on(master: MasterEnd, node: str, name: str, *, managed: bool) -> None:
    owner = OwnerReference(api_version="v1", kind="ReplicationController", name="rc", uid="u", controller=True)
    meta = ObjectMeta(name=name, namespace="default", owner_references=(owner,) if managed else ())
    spec = PodSpec(containers=(Container(name="app", image="app:1"),), node_name=node)
    await master.resources.create(CALLER, kinds.POD, Pod(metadata=meta, spec=spec), namespace="default")


async def registered(master: MasterEnd, identity: Identity, tmp_path: Path) -> None:
    async with AgentEnd(
        identity, tmp_path, machine=identity.node_name, address=f"10.0.0.{len(master.cache.list(kinds.NODE)) + 1}"
    ).running():
        await until(lambda: master.ready(identity.node_name) == "True")


async def test_a_node_reads_its_membership_before_and_after_its_first_hello(master: MasterEnd, tmp_path: Path) -> None:
    identity = await master.identity("n")
    async with Master(identity) as channel:
        assert not (await channel.membership(HERE, _CALL_S)).registered
        await registered(master, identity, tmp_path)
        membership = await channel.membership(HERE, _CALL_S)
    assert membership.registered
    assert not membership.removed
    assert {condition.type: condition.status for condition in membership.conditions}["Ready"] == "True"


async def test_a_drain_cordons_the_node_and_deletes_only_its_own_pods(master: MasterEnd, tmp_path: Path) -> None:
    mine, other = await master.identity("mine"), await master.identity("other")
    await registered(master, mine, tmp_path / "mine")
    await registered(master, other, tmp_path / "other")
    await pod_on(master, "mine", "replaced", managed=True)
    await pod_on(master, "mine", "bare", managed=False)
    await pod_on(master, "other", "stays", managed=True)
    async with Master(mine) as channel:
        first = await channel.drain(HERE, _CALL_S)
        again = await channel.drain(HERE, _CALL_S)
    assert sorted(ref.name for ref in first.pods) == ["bare", "replaced"]
    assert [ref.name for ref in again.unmanaged] == ["bare"]
    assert master.node("mine").spec.unschedulable
    assert not master.node("other").spec.unschedulable
    marked = {pod.metadata.name: pod.metadata.deletion_timestamp for pod in master.cache.list(kinds.POD)}
    assert marked["bare"]
    assert marked["replaced"]
    assert not marked["stays"]


async def test_a_node_that_stays_removes_the_cordon_of_its_drain(master: MasterEnd, tmp_path: Path) -> None:
    identity = await master.identity("n")
    await registered(master, identity, tmp_path)
    async with Master(identity) as channel:
        await channel.drain(HERE, _CALL_S)
        await channel.drain(HERE, _CALL_S)
        assert (await channel.membership(HERE, _CALL_S)).unschedulable, "asking for the membership changes nothing"
        assert not (await channel.membership(HERE, _CALL_S, uncordon=True)).unschedulable
    node = master.node("n")
    assert not node.spec.unschedulable and not node.metadata.annotations


async def test_a_node_does_not_remove_a_persons_cordon(master: MasterEnd, tmp_path: Path) -> None:
    identity = await master.identity("n")
    await registered(master, identity, tmp_path)

    async def cordon(unschedulable: bool) -> None:
        await master.resources.mutate(
            CALLER, kinds.NODE, "", "n", lambda n: replace(n, spec=replace(n.spec, unschedulable=unschedulable))
        )

    async with Master(identity) as channel:
        await cordon(True)
        await channel.drain(HERE, _CALL_S)
        assert (await channel.membership(HERE, _CALL_S, uncordon=True)).unschedulable, "cordoned before the drain"
        await cordon(False)
        await channel.drain(HERE, _CALL_S)
        await cordon(False)
        await cordon(True)
        assert (await channel.membership(HERE, _CALL_S, uncordon=True)).unschedulable, "cordoned after the drain"


async def test_leaving_removes_the_node_and_is_idempotent(master: MasterEnd, tmp_path: Path) -> None:
    identity = await master.identity("n")
    await registered(master, identity, tmp_path)
    async with Master(identity) as channel:
        await channel.leave(HERE, _CALL_S)
        await channel.leave(HERE, _CALL_S)
        membership = await channel.membership(HERE, _CALL_S)
    assert master.node("n") is None
    assert membership.removed
    assert not membership.registered


async def test_leaving_frees_the_identity_of_a_node_that_never_registered(master: MasterEnd) -> None:
    identity = await master.identity("n")
    async with Master(identity) as channel:
        await channel.leave(HERE, _CALL_S)
        with pytest.raises(Refused, match=r"does not know node n; .*`sampan reset` on its host"):
            await channel.membership(HERE, _CALL_S)
    assert await master.identities.get("n") is None


async def test_the_certificate_of_an_earlier_node_of_that_name_is_refused(master: MasterEnd, tmp_path: Path) -> None:
    former = await master.identity("n")
    async with Master(former) as channel:
        await channel.leave(HERE, _CALL_S)
    await registered(master, await master.identity("n"), tmp_path)
    async with Master(former) as channel:
        for ask in (channel.membership, channel.drain, channel.leave):
            with pytest.raises(Refused, match="another certificate"):
                await ask(HERE, _CALL_S)
    assert not master.node("n").spec.unschedulable


ORIGINAL = {"machine_id": "machine-1", "boot_id": "boot-1", "address": "10.0.0.1"}
COPIES = [
    pytest.param({"machine_id": "machine-2"}, "another machine id", id="with its own machine id"),
    pytest.param({"boot_id": "boot-2", "address": "10.0.0.2"}, "another boot id", id="with the same machine id"),
    pytest.param({"address": "10.0.0.2"}, r"address is 10\.0\.0\.1", id="in a container on the same host"),
]


@pytest.mark.parametrize(("change", "why"), COPIES)
async def test_requests_from_a_copy_of_the_machine_are_refused(
    master: MasterEnd, tmp_path: Path, change: dict[str, str], why: str
) -> None:
    identity = await master.identity("n")
    original, copy = session_pb2.Machine(**ORIGINAL), session_pb2.Machine(**ORIGINAL | change)
    async with AgentEnd(identity, tmp_path, boot="boot-1").running(), Master(identity) as channel:
        await until(lambda: master.ready("n") == "True")
        for ask in (channel.membership, channel.drain, channel.leave):
            with pytest.raises(Occupied, match=f"request for node n comes from another machine: .*{why}"):
                await ask(copy, _CALL_S)
        assert not master.node("n").spec.unschedulable
        assert (await channel.membership(original, _CALL_S)).registered
        # A machine that does not report its boot id and address is compared by its machine id only.
        assert (await channel.membership(session_pb2.Machine(machine_id="machine-1"), _CALL_S)).registered


async def test_a_machine_is_recognised_by_any_of_its_addresses(master: MasterEnd, tmp_path: Path) -> None:
    identity = await master.identity("n")
    async with AgentEnd(identity, tmp_path).running(), Master(identity) as channel:
        await until(lambda: master.ready("n") == "True")
        by_another_route = session_pb2.Machine(address="192.168.1.5", addresses=["10.0.0.1", "192.168.1.5"])
        assert (await channel.membership(by_another_route, _CALL_S)).registered
        for another in (["10.0.0.2", "192.168.1.5"], ["192.168.1.5"]):
            with pytest.raises(Occupied, match=r"address is 10\.0\.0\.1"):
                await channel.leave(session_pb2.Machine(address="192.168.1.5", addresses=another), _CALL_S)


async def test_an_agent_that_restarts_with_another_address_need_not_wait(master: MasterEnd, tmp_path: Path) -> None:
    identity = await master.identity("n")
    async with AgentEnd(identity, tmp_path).running():
        await until(lambda: master.ready("n") == "True")
    both = ["10.0.0.1", "192.168.1.5"]
    async with AgentEnd(identity, tmp_path, address="192.168.1.5", addresses=both).running():
        await until(lambda: node_address(master.node("n")) == "192.168.1.5")


async def test_a_rebooted_machine_can_leave_although_its_agent_does_not_start(
    master: MasterEnd, tmp_path: Path
) -> None:
    identity = await master.identity("n")
    async with AgentEnd(identity, tmp_path, boot="boot-1").running():
        await until(lambda: master.ready("n") == "True")
    again = session_pb2.Machine(machine_id="machine-1", boot_id="boot-2", address="10.0.0.9")
    async with Master(identity) as channel:
        with pytest.raises(Occupied):
            await channel.leave(again, _CALL_S)
        await master.clock.advance(GRACE_S + 1)
        with pytest.raises(Occupied, match="another machine id"):
            await channel.leave(session_pb2.Machine(machine_id="machine-2"), _CALL_S)
        await channel.leave(again, _CALL_S)
    assert master.node("n") is None


async def test_a_prospect_shows_what_a_join_would_meet_and_changes_nothing(master: MasterEnd, tmp_path: Path) -> None:
    identity = await master.identity("n")
    await registered(master, identity, tmp_path)
    free = await master.join.prospect(TOKEN, "other", "10.9.9.9", "")
    assert (free.name_taken, free.address_taken_by) == ("", "")
    assert (free.cluster_cidr, free.service_cidr) == ("10.244.0.0/16", "10.96.0.0/16")
    taken = await master.join.prospect(TOKEN, "n", "10.0.0.1", "")
    assert 'a node "n" already exists' in taken.name_taken
    assert taken.address_taken_by == "", "its own address is not another's"
    assert (await master.join.prospect(TOKEN, "other", "10.0.0.1", "")).address_taken_by == "n"
    assert await master.identities.get("other") is None
    with pytest.raises(ApiError, match="not valid"):
        await master.join.prospect("zzzzzz.0123456789abcdef", "other", "", "")


async def test_the_name_of_a_join_in_progress_is_free_for_its_key(master: MasterEnd) -> None:
    await master.identity("n")
    begun = await master.identities.get("n")
    assert begun is not None
    assert not (await master.join.prospect(TOKEN, "n", "", begun.public_key)).name_taken
    assert (await master.join.prospect(TOKEN, "n", "", "of another key")).name_taken


async def test_a_node_that_a_person_created_keeps_its_labels_and_taints(master: MasterEnd, tmp_path: Path) -> None:
    meta = ObjectMeta(name="n", labels={"disk": "ssd"})
    spec = NodeSpec(taints=(Taint(key="own", effect="NoSchedule"),), unschedulable=True)
    await master.resources.create(CALLER, kinds.NODE, Node(metadata=meta, spec=spec))
    identity = await master.identity("n")
    await registered(master, identity, tmp_path)
    node = master.node("n")
    assert node.metadata.labels.items() >= {"disk": "ssd", "kubernetes.io/hostname": "n"}.items()
    assert (node.spec.taints, node.spec.unschedulable) == (spec.taints, True)
    assert node.spec.pod_cidr == (await master.identities.get("n")).pod_cidr
    assert node_address(node).startswith("10.0.0.")
