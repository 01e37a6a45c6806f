"""The resources of a node: agents report some, and people add others to its status."""

from __future__ import annotations

from msgspec.structs import replace

from master import kinds
from master.dispatch.nodes import Nodes
from master.kinds.core.node import Node
from proto.gen import observed_pb2
from tests.fakes.cluster import FakeCluster


async def test_a_heartbeat_keeps_the_resources_that_agents_do_not_report() -> None:
    cluster = await FakeCluster.make()
    await cluster.node("n1", cpu="1")

    def with_gpus(node: Node) -> Node:
        status = node.status
        extended = {"example.com/gpu": "2"}
        return replace(
            node,
            status=replace(
                status, capacity={**status.capacity, **extended}, allocatable={**status.allocatable, **extended}
            ),
        )

    await cluster.change(kinds.NODE, "n1", with_gpus, subresource="status")
    capacity = observed_pb2.Capacity(cpu_millis=4000, memory_bytes=1 << 30, pods=10, ephemeral_storage_bytes=1 << 40)
    await Nodes(cluster.resources, cluster.clock).observed("n1", capacity, [])
    status = cluster.get(kinds.NODE, "n1").status
    assert status.capacity == status.allocatable
    assert (status.capacity["cpu"], status.capacity["ephemeral-storage"]) == ("4", "1Ti")
    assert status.capacity["example.com/gpu"] == "2"
