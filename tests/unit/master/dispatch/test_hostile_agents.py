"""Agents that violate the contract, and concurrent joins and deletions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agent.identity import keys
from master import kinds
from master.api.errors import ApiError, BadRequest
from master.cache import Cache
from master.dispatch.accounttokens import AccountTokens
from master.dispatch.departures import Departures
from master.dispatch.errors import Denied, Stale
from master.dispatch.nodes import NodeDescription, Nodes
from master.dispatch.reports import Reports
from master.dispatch.service import MasterService, Peer
from master.dispatch.sessions import Machine
from master.dispatch.token import make_valid
from master.kinds.core.namespace import Namespace
from master.kinds.core.pod.logs import LogOptions
from master.objects.meta import ObjectMeta
from master.pki import Pki
from master.store.memory import MemoryStore
from proto import contract
from proto.gen import observed_pb2, session_pb2
from tests.fakes.clock import settle
from tests.fakes.sessions import CALLER, CLUSTER_ID, TOKEN, MasterEnd, prepare_pki


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return prepare_pki(tmp_path_factory.mktemp("master"))


@pytest_asyncio.fixture
async def master(pki: Pki) -> AsyncIterator[MasterEnd]:
    store = MemoryStore()
    end = MasterEnd(pki, store, await Cache.load(store, kinds.ALL))
    await end.resources.create(CALLER, kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="kube-system")))
    await make_valid(end.resources, TOKEN)
    yield end


class _Flood:
    """An agent that sends without credit."""

    def __init__(self) -> None:
        self.sent = 0

    async def read(self) -> session_pb2.StreamUp | None:
        self.sent += 100_000
        return session_pb2.StreamUp(data=b"x" * 100_000)

    async def send(self, message: session_pb2.StreamDown) -> None:
        return


async def test_a_stream_that_exceeds_its_credit_is_ended(master: MasterEnd) -> None:
    session = master.sessions.open("n", Machine("m", "10.0.0.1"), "f", removed=False)
    chunks = master.logs.open("n", "default", "web", "uid", "app", LogOptions(follow=True))
    first = asyncio.ensure_future(anext(chunks))
    await settle()
    (stream_id,) = master.streams._streams
    flood = _Flood()
    await master.streams.serve(session, session_pb2.StreamUp(stream_id=stream_id), flood)
    assert flood.sent <= contract.STREAM_WINDOW_BYTES + 100_000
    await first
    with pytest.raises(BadRequest, match="more of the log than its credit allows"):
        async for _ in chunks:
            pass


class _Overtaken(Nodes):
    """The Node is deleted while it is being registered."""

    async def register(self, node: NodeDescription) -> None:
        await self._resources.delete(CALLER, kinds.NODE, "", node.name)
        await super().register(node)


async def test_a_node_deleted_during_its_hello_is_not_created_again(master: MasterEnd) -> None:
    request = keys.make_request(keys.make_key(), "n")
    certificate = (await master.join.join(TOKEN, "n", request)).certificate
    peer = Peer("n", contract.fingerprints(certificate)[0])

    def service(nodes: Nodes) -> MasterService:
        return MasterService(
            cluster_id=CLUSTER_ID,
            identities=master.identities,
            sessions=master.sessions,
            nodes=nodes,
            desired=master.desired,
            reports=Reports(master.resources, master.recorder, master.clock),
            streams=master.streams,
            departures=Departures(master.resources, master.identities, master.sessions),
            trust=master.trust,
            pki=master.pki,
            tokens=AccountTokens(master.resources),
        )

    hello = session_pb2.HelloRequest(
        protocol_version=contract.PROTOCOL_VERSION,
        cluster_id=CLUSTER_ID,
        node=observed_pb2.NodeInfo(machine_id="m", address="10.0.0.1"),
        capacity=observed_pb2.Capacity(cpu_millis=1000, memory_bytes=1 << 30, pods=10),
    )
    assert not (await service(Nodes(master.resources, master.clock)).hello(peer, hello)).removed
    with pytest.raises(Stale, match="deleted meanwhile"):
        await service(_Overtaken(master.resources, master.clock)).hello(peer, hello)
    assert master.node("n") is None
    assert master.sessions.current("n") is None
    left = service(Nodes(master.resources, master.clock))
    answer = await left.hello(peer, hello)
    assert answer.removed
    await left.report_left(peer, session_pb2.LeftReport(session_id=answer.session_id))
    with pytest.raises(Denied):
        await left.hello(peer, hello)


async def test_of_several_concurrent_joins_under_one_name_one_succeeds(master: MasterEnd) -> None:
    requests = [keys.make_request(keys.make_key(), "n") for _ in range(4)]
    answers = await asyncio.gather(
        *(master.join.join(TOKEN, "n", request) for request in requests), return_exceptions=True
    )
    won = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(won) == 1
    assert all(isinstance(answer, ApiError) and answer.code == 409 for answer in answers if answer not in won)
    identity = await master.identities.get("n")
    assert identity is not None and identity.fingerprint == contract.fingerprints(won[0].certificate)[0]


async def test_a_name_too_long_for_a_certificate_is_refused(master: MasterEnd) -> None:
    with pytest.raises(ApiError, match="52 characters at most") as refused:
        await master.join.join(TOKEN, "n" * 53, keys.make_request(keys.make_key(), "n"))
    assert refused.value.code == 422
    name = "n" * 52
    assert await master.join.join(TOKEN, name, keys.make_request(keys.make_key(), name))
