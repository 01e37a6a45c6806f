"""What a node may ask for itself, and only for itself: its status, drain, uncordon and removal.

Owns reading the node's conditions, cordon and drain (spec.unschedulable, and deleting its pods with their grace
period), the end of that cordon, deleting the Node, and the check that the request does not come from a copy of the
machine. The certificate was checked before; it names the node, and no field of a message does. Needs no session: a
person at the machine asks, whether the agent runs or not.
"""

from __future__ import annotations

import contextlib
import logging

from msgspec.structs import replace

from master.api.errors import NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.dispatch.convert import node_address
from master.dispatch.errors import Occupied
from master.dispatch.identities import Identities, Identity
from master.dispatch.sessions import Sessions
from master.kinds import NODE, POD
from master.kinds.core.node import CORDONED_BY_DRAIN, Node
from master.kinds.core.pod.model import Pod
from proto.gen import desired_pb2, observed_pb2, session_pb2

# Not the node itself: the master deletes the pods on its behalf.
_CALLER = component("node-departures")

log = logging.getLogger(__name__)


class Departures:
    """Serves nodes that leave, and nodes that have just joined and wait to be Ready."""

    def __init__(self, resources: Resources, identities: Identities, sessions: Sessions) -> None:
        self._resources = resources
        self._identities = identities
        self._sessions = sessions

    def check(self, identity: Identity, machine: session_pb2.Machine) -> None:
        """Raises Occupied when the request comes from another machine than the node, as far as both have described
        themselves. A copy of a machine has its certificate too, and must not get the original removed.

        Copies may share a machine id, but not a boot id (or, when they share a kernel, the address). Boot id and
        address are compared while the node's own agent is connected, because it reported them after its last reboot.
        """
        name = identity.name
        if _differ(identity.machine_id, machine.machine_id):
            raise _another(name, "the node has another machine id")
        node = self._resources.cache.get(NODE, "", name)
        if node is None or not self._sessions.may_be_alive(name):
            return
        if _differ(node.status.node_info.boot_id, machine.boot_id):
            raise _another(name, "the node has another boot id")
        # On a machine with two networks, the reported address depends on its route to the master; so compare with all.
        reported = {machine.address, *machine.addresses} - {""}
        if reported and (address := node_address(node)) and address not in reported:
            raise _another(name, f"the node's address is {address}")

    def membership(self, identity: Identity) -> session_pb2.MembershipReply:
        """The node's state in the cluster: registered, removed, cordoned, and its conditions."""
        node = self._resources.cache.get(NODE, "", identity.name)
        if node is None or identity.removed:
            return session_pb2.MembershipReply(removed=identity.removed)
        conditions = [
            observed_pb2.Condition(type=c.type, status=c.status, reason=c.reason, message=c.message)
            for c in node.status.conditions
        ]
        return session_pb2.MembershipReply(
            registered=True, unschedulable=node.spec.unschedulable, conditions=conditions
        )

    async def drain(self, identity: Identity) -> session_pb2.DrainReply:
        """Cordons the node and deletes its pods. Returns the pods that are left; the caller repeats until none is."""
        name = identity.name
        with contextlib.suppress(NotFound):
            await self._resources.mutate(_CALLER, NODE, "", name, _cordoned)
        pods = self._pods(name)
        for pod in pods:
            if not pod.metadata.deletion_timestamp:
                await self._delete(pod)
        left = self._pods(name)
        return session_pb2.DrainReply(
            pods=[_ref(pod) for pod in left], unmanaged=[_ref(pod) for pod in pods if not _is_managed(pod)]
        )

    async def uncordon(self, identity: Identity) -> None:
        """Removes the cordon that `drain` set, when the node stays after all; never a person's cordon."""
        if identity.removed:
            return
        with contextlib.suppress(NotFound):
            await self._resources.mutate(_CALLER, NODE, "", identity.name, _uncordoned)

    async def leave(self, identity: Identity) -> None:
        """Deletes the Node. The identity of a node that never registered is freed at once. Idempotent."""
        if identity.removed:
            return
        try:
            await self._resources.delete(_CALLER, NODE, "", identity.name)
        except NotFound:
            await self._identities.free(identity)
        log.info("node %s: leaves the cluster at its own request", identity.name)

    async def _delete(self, pod: Pod) -> None:
        meta = pod.metadata
        with contextlib.suppress(NotFound):
            await self._resources.delete(_CALLER, POD, meta.namespace, meta.name, uid=meta.uid)

    def _pods(self, node: str) -> list[Pod]:
        return [pod for pod in self._resources.cache.list(POD) if pod.spec.node_name == node]


def _differ(known: str, reported: str) -> bool:
    return bool(known and reported) and known != reported


def _another(name: str, why: str) -> Occupied:
    return Occupied(f"the request for node {name} comes from another machine: {why}")


def _cordoned(node: Node) -> Node | None:
    if node.spec.unschedulable:
        return None
    annotations = node.metadata.annotations | {CORDONED_BY_DRAIN: "true"}
    return replace(
        node,
        metadata=replace(node.metadata, annotations=annotations),
        spec=replace(node.spec, unschedulable=True),
    )


def _uncordoned(node: Node) -> Node | None:
    """NodeStrategy removes the annotation together with the cordon."""
    if CORDONED_BY_DRAIN not in node.metadata.annotations:
        return None
    return replace(node, spec=replace(node.spec, unschedulable=False))


def _is_managed(pod: Pod) -> bool:
    return any(owner.controller for owner in pod.metadata.owner_references)


def _ref(pod: Pod) -> desired_pb2.ObjectRef:
    return desired_pb2.ObjectRef(namespace=pod.metadata.namespace, name=pod.metadata.name)
