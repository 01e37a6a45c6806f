"""What a node may ask about itself, and only about itself: how it stands, to be drained, to stay, to be removed.

Owns the reading of its conditions, cordon and drain (spec.unschedulable, and the deletion of its pods with their
grace), the end of that cordon, the deletion of its Node, and the check that no copy of its machine is taken for it. The
certificate was checked before: which node is meant is what it says, never a field of a message. Needs no session, as a
person at the machine asks, whether the agent runs or not.
"""

from __future__ import annotations

import contextlib
import logging

from msgspec.structs import replace

from master.api.errors import NotFound
from master.api.identity import component
from master.api.kinds import NODE, POD
from master.api.kinds.node import CORDONED_BY_DRAIN, Node
from master.api.kinds.pod import Pod
from master.api.resources import Resources
from master.dispatch.convert import node_address
from master.dispatch.errors import Occupied
from master.dispatch.identities import Identities, Identity
from master.dispatch.sessions import Sessions
from proto.gen import desired_pb2, observed_pb2, session_pb2

# Not the node's own name: what a pod's deletion does is the master's, whoever asked for it.
_CALLER = component("node-departures")

log = logging.getLogger(__name__)


class Departures:
    """Serves the nodes that want to leave, and those that have just come."""

    def __init__(self, resources: Resources, identities: Identities, sessions: Sessions) -> None:
        self._resources = resources
        self._identities = identities
        self._sessions = sessions

    def check(self, identity: Identity, machine: session_pb2.Machine) -> None:
        """Raises Occupied when the node is another machine than the one that asks, as far as either has said what it
        is: a copy of a machine has its certificate, and must not have the original removed.

        Copies may have one machine id. What they do not share is the boot (those that share a kernel: the address),
        and that tells them apart for as long as the node's own agent is heard: it had said Hello after a reboot.
        """
        name = identity.name
        if _differ(identity.machine_id, machine.machine_id):
            raise _another(name, "it has another machine id")
        node = self._resources.cache.get(NODE, "", name)
        if node is None or not self._sessions.may_be_alive(name):
            return
        if _differ(node.status.node_info.boot_id, machine.boot_id):
            raise _another(name, "it was booted another time")
        # With two networks it depends on the way to the master, which may have other addresses by now, what it says.
        said = {machine.address, *machine.addresses} - {""}
        if said and (address := node_address(node)) and address not in said:
            raise _another(name, f"its address is {address}")

    def standing(self, identity: Identity) -> session_pb2.MembershipReply:
        """How the master sees the node."""
        node = self._resources.cache.get(NODE, "", identity.name)
        if node is None or identity.removed:
            return session_pb2.MembershipReply(removed=identity.removed)
        conditions = [
            observed_pb2.Condition(type=each.type, status=each.status, reason=each.reason, message=each.message)
            for each in node.status.conditions
        ]
        return session_pb2.MembershipReply(
            registered=True, unschedulable=node.spec.unschedulable, conditions=conditions
        )

    async def drain(self, identity: Identity) -> session_pb2.DrainReply:
        """Cordon the node, delete its pods, and say which are still there. Asking again does the rest."""
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
        """Take back the cordon of `drain`, as the node stays; never that of a person."""
        if identity.removed:
            return
        with contextlib.suppress(NotFound):
            await self._resources.mutate(_CALLER, NODE, "", identity.name, _uncordoned)

    async def leave(self, identity: Identity) -> None:
        """Delete the Node; a node that never came up is forgotten at once. Asking again changes nothing."""
        if identity.removed:
            return
        try:
            await self._resources.delete(_CALLER, NODE, "", identity.name)
        except NotFound:
            await self._identities.free(identity)
        log.info("node %s: leaves the cluster by its own wish", identity.name)

    async def _delete(self, pod: Pod) -> None:
        meta = pod.metadata
        with contextlib.suppress(NotFound):
            await self._resources.delete(_CALLER, POD, meta.namespace, meta.name, uid=meta.uid)

    def _pods(self, node: str) -> list[Pod]:
        return [pod for pod in self._resources.cache.list(POD) if pod.spec.node_name == node]


def _differ(known: str, said: str) -> bool:
    return bool(known and said) and known != said


def _another(name: str, why: str) -> Occupied:
    return Occupied(f"node {name} is another machine than the one that asks: {why}")


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
    """The annotation goes with the cordon, as with anybody's write (NodeStrategy)."""
    if CORDONED_BY_DRAIN not in node.metadata.annotations:
        return None
    return replace(node, spec=replace(node.spec, unschedulable=False))


def _is_managed(pod: Pod) -> bool:
    return any(owner.controller for owner in pod.metadata.owner_references)


def _ref(pod: Pod) -> desired_pb2.ObjectRef:
    return desired_pb2.ObjectRef(namespace=pod.metadata.namespace, name=pod.metadata.name)
