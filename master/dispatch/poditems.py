"""The encoded items of pods: those for older agents, and the last one of a pod that cannot be sent."""

from __future__ import annotations

from master.dispatch import convert
from master.dispatch.items import encode
from master.dispatch.nodeitems import NodeItems
from master.dispatch.withheld import for_older_agents, simplified
from master.kinds.core.pod.model import Pod
from proto.gen import desired_pb2, session_pb2


def adapt(own: NodeItems, uid: str, item: bytes, pod: Pod) -> None:
    """Keeps the item for older agents, if they must not start the pod.

    This by itself changes nothing for the present agent: an older one starts no container of such a pod.
    """
    older = for_older_agents(_message(item), pod.status)
    if older is None:
        own.older.pop(uid, None)
    else:
        own.older[uid] = encode(older)


def older_item(own: NodeItems, uid: str) -> bytes | None:
    """The item for an older agent. Made when it is needed: most clusters have no such agent."""
    item = own.pods.get(uid)
    if item is None or uid in own.older:
        return own.older.get(uid)
    return encode(simplified(_message(item)))


def ending(pod: Pod, sent: bytes | None) -> desired_pb2.Pod:
    """A pod that cannot be sent as it is has to end all the same: as it was sent before, if it was, but deleted."""
    last = convert.last_message(pod)
    if sent is None:
        return last
    message = _message(sent)
    message.deletion_timestamp.CopyFrom(last.deletion_timestamp)
    message.grace_period_s = last.grace_period_s
    return message


def _message(item: bytes) -> desired_pb2.Pod:
    return session_pb2.Cut.FromString(item).pods[0]
