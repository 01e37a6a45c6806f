"""Uniqueness keys that another object holds, and the resourceVersion "0" of a client."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from master.api.errors import Invalid
from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds import CONFIGMAP, NODE
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.node import Node, NodeAddress, NodeStatus
from master.objects.meta import ObjectMeta


async def test_the_refusal_of_a_taken_address_names_the_node_that_has_it(resources: Resources, me: Caller) -> None:
    status = NodeStatus(addresses=(NodeAddress(type="InternalIP", address="192.0.2.7"),))
    await resources.create(me, NODE, Node(metadata=ObjectMeta(name="n1"), status=status))
    with pytest.raises(
        Invalid, match=r'status.addresses\[0\].address: .*"192.0.2.7": is already the address of node n1'
    ):
        await resources.create(me, NODE, Node(metadata=ObjectMeta(name="n2"), status=status))


@pytest.mark.parametrize("version", ["0", ""])
async def test_version_0_means_no_version(resources: Resources, me: Caller, version: str) -> None:
    made = await resources.create(
        me, CONFIGMAP, ConfigMap(metadata=ObjectMeta(name="v", resource_version=version)), namespace="default"
    )
    changed = replace(made, data={"a": "b"}, metadata=replace(made.metadata, resource_version=version))
    assert (await resources.update(me, CONFIGMAP, changed)).data == {"a": "b"}
