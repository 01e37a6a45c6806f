"""The desired state of each node, updated by the cache's changes: no I/O, no tasks, no sessions.

Owns the rule of what a node gets: its own configuration and pods, the config maps and secrets that these reference, all
services and endpoints, and its peers. Items are kept encoded; an item that is the same for all nodes is kept once.
`apply` returns the keys that changed for each node, and `lookup` a node's current item for a key.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from master.dispatch import convert
from master.dispatch.items import NODE_KEY, Key, Section, encode
from master.dispatch.references import references
from master.dispatch.withheld import SINCE, for_older_agents
from master.kinds import CONFIGMAP, ENDPOINTS, NODE, POD, SECRET, SERVICE
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.endpoints import Endpoints
from master.kinds.core.node import Node
from master.kinds.core.pod.model import Pod
from master.kinds.core.secret import Secret
from master.kinds.core.service.model import Service
from master.objects.meta import Object
from master.registry.resource import Resource
from proto import contract

log = logging.getLogger(__name__)

KINDS: tuple[Resource[Object], ...] = (NODE, POD, SERVICE, ENDPOINTS, CONFIGMAP, SECRET)  # type: ignore[assignment]


class Change(Protocol):
    """What the view reads of master.cache.Change; `type` is ADDED, MODIFIED or DELETED."""

    @property
    def kind(self) -> Resource[Object]: ...

    @property
    def type(self) -> str: ...

    @property
    def obj(self) -> Object: ...


@dataclass(slots=True)
class Dirty:
    """Changed keys: for all nodes, and for single nodes."""

    shared: set[Key] = field(default_factory=set)
    nodes: dict[str, set[Key]] = field(default_factory=dict)

    def mark(self, node: str, key: Key) -> None:
        self.nodes.setdefault(node, set()).add(key)


@dataclass(slots=True)
class _NodeView:
    """The items that only one node gets."""

    config: bytes | None = None
    pods: dict[str, bytes] = field(default_factory=dict)
    withheld: dict[str, bytes] = field(default_factory=dict)
    """Pods that an agent below protocol version SINCE must not start, as that agent gets them."""
    references: dict[Key, int] = field(default_factory=dict)
    """Config maps and secrets, with the number of the node's pods that reference them."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """A pod's node and references."""

    node: str
    references: frozenset[Key]


class View:
    """The desired states of all nodes."""

    def __init__(self, cluster_cidr: str, service_cidr: str) -> None:
        self._cluster_cidr = cluster_cidr
        self._service_cidr = service_cidr
        self._shared: dict[Key, bytes] = {}
        self._nodes: dict[str, _NodeView] = {}
        self._placed: dict[str, _Placed] = {}
        self._payloads: dict[Key, ConfigMap | Secret] = {}
        self._encoded_payloads: dict[Key, bytes] = {}
        self.revision = 0

    def load(self, revision: int, objects: Iterable[tuple[Resource[Object], Object]]) -> None:
        """Fills a new view from a snapshot."""
        dirty = Dirty()
        for _, obj in objects:
            self._set(obj, dirty)
        self.revision = revision

    def apply(self, revision: int, changes: Iterable[Change]) -> Dirty:
        """Applies one commit. Returns the keys whose items changed."""
        dirty = Dirty()
        for change in changes:
            if change.type == "DELETED":
                self._remove(change.obj, dirty)
            else:
                self._set(change.obj, dirty)
        self.revision = revision
        return dirty

    def lookup(self, node: str, key: Key, version: int = contract.PROTOCOL_VERSION) -> bytes | None:
        """The node's current item, for an agent of this protocol version; None when the node is not to have it."""
        own = self._nodes.get(node)
        match key.section:
            case Section.SERVICE | Section.ENDPOINTS:
                return self._shared.get(key)
            case Section.PEER:
                return None if key.name == node else self._shared.get(key)
            case Section.NODE:
                return own.config if own else None
            case Section.POD:
                if own is None:
                    return None
                withheld = own.withheld.get(key.name) if version < SINCE else None
                return withheld or own.pods.get(key.name)
            case Section.CONFIG_MAP | Section.SECRET:
                return self._payload(key) if own and key in own.references else None

    def keys(self, node: str) -> Iterator[Key]:
        """All keys of the node, in the order of their sections."""
        own = self._nodes.get(node) or _NodeView()
        if own.config is not None:
            yield NODE_KEY
        yield from sorted(key for key in self._shared if key.section is not Section.PEER or key.name != node)
        yield from sorted(key for key in own.references if key in self._payloads)
        yield from (Key(Section.POD, "", uid) for uid in own.pods)

    def _set(self, obj: Object, dirty: Dirty) -> None:
        meta = obj.metadata
        match obj:
            case Pod():
                self._place(obj, dirty)
            case Service():
                service = convert.service_message(obj)
                key = Key(Section.SERVICE, meta.namespace, meta.name)
                self._share(key, encode(service) if service else None, dirty)
            case Endpoints():
                key = Key(Section.ENDPOINTS, meta.namespace, meta.name)
                self._share(key, encode(convert.endpoints_message(obj)), dirty)
            case Node():
                self._set_node(obj, dirty)
            case ConfigMap():
                self._set_payload(Key(Section.CONFIG_MAP, meta.namespace, meta.name), obj, dirty)
            case Secret():
                self._set_payload(Key(Section.SECRET, meta.namespace, meta.name), obj, dirty)
            case _:
                pass

    def _remove(self, obj: Object, dirty: Dirty) -> None:
        meta = obj.metadata
        match obj:
            case Pod():
                self._displace(meta.uid, dirty)
            case Service():
                self._share(Key(Section.SERVICE, meta.namespace, meta.name), None, dirty)
            case Endpoints():
                self._share(Key(Section.ENDPOINTS, meta.namespace, meta.name), None, dirty)
            case Node():
                self._share(Key(Section.PEER, "", meta.name), None, dirty)
                if own := self._nodes.get(meta.name):
                    own.config = None
                    self._forget_if_empty(meta.name)
            case ConfigMap():
                self._set_payload(Key(Section.CONFIG_MAP, meta.namespace, meta.name), None, dirty)
            case Secret():
                self._set_payload(Key(Section.SECRET, meta.namespace, meta.name), None, dirty)
            case _:
                pass

    def _share(self, key: Key, item: bytes | None, dirty: Dirty) -> None:
        if self._shared.get(key) == item:
            return
        if item is None:
            del self._shared[key]
        else:
            self._shared[key] = item
        dirty.shared.add(key)

    def _set_node(self, node: Node, dirty: Dirty) -> None:
        name = node.metadata.name
        peer = convert.peer_message(node)
        self._share(Key(Section.PEER, "", name), encode(peer) if peer else None, dirty)
        own = self._nodes.setdefault(name, _NodeView())
        config = encode(convert.node_config(node, self._cluster_cidr, self._service_cidr))
        if config != own.config:
            own.config = config
            dirty.mark(name, NODE_KEY)

    def _set_payload(self, key: Key, obj: ConfigMap | Secret | None, dirty: Dirty) -> None:
        before = self._encoded_payloads.pop(key, None)
        if obj is None:
            self._payloads.pop(key, None)
        else:
            self._payloads[key] = obj
        holders = [name for name, own in self._nodes.items() if key in own.references]
        if holders and self._payload(key) != before:
            for name in holders:
                dirty.mark(name, key)

    def _payload(self, key: Key) -> bytes | None:
        """The encoded config map or secret; encoded when a node first needs it."""
        if (item := self._encoded_payloads.get(key)) is not None:
            return item
        obj = self._payloads.get(key)
        if obj is None:
            return None
        message = convert.secret_message(obj) if isinstance(obj, Secret) else convert.config_map_message(obj)
        item = self._encoded_payloads[key] = encode(message)
        return item

    def _place(self, pod: Pod, dirty: Dirty) -> None:
        uid, node = pod.metadata.uid, pod.spec.node_name
        before = self._placed.get(uid)
        if before and before.node != node:
            self._displace(uid, dirty)
            before = None
        if not node:
            return
        try:
            message = convert.pod_message(pod)
            item = encode(message)
        except ValueError as error:
            # One pod must not keep the others from being sent, whatever is in the store.
            log.error(
                "pod %s/%s: cannot be sent to node %s: %s", pod.metadata.namespace, pod.metadata.name, node, error
            )
            return
        own = self._nodes.setdefault(node, _NodeView())
        if withheld := for_older_agents(message, pod.status):
            own.withheld[uid] = encode(withheld)
        else:
            # This by itself changes nothing for the present agent: an older one starts no container of such a pod.
            own.withheld.pop(uid, None)
        if own.pods.get(uid) == item:
            return
        own.pods[uid] = item
        dirty.mark(node, Key(Section.POD, "", uid))
        needed = references(pod)
        held = before.references if before else frozenset()
        self._placed[uid] = _Placed(node, needed)
        self._hold(node, needed - held, dirty)
        self._release(node, held - needed, dirty)

    def _displace(self, uid: str, dirty: Dirty) -> None:
        placed = self._placed.pop(uid, None)
        if placed is None:
            return
        del self._nodes[placed.node].pods[uid]
        self._nodes[placed.node].withheld.pop(uid, None)
        dirty.mark(placed.node, Key(Section.POD, "", uid))
        self._release(placed.node, placed.references, dirty)
        self._forget_if_empty(placed.node)

    def _hold(self, node: str, keys: Iterable[Key], dirty: Dirty) -> None:
        counts = self._nodes[node].references
        for key in keys:
            counts[key] = counts.get(key, 0) + 1
            if counts[key] == 1 and key in self._payloads:
                dirty.mark(node, key)

    def _release(self, node: str, keys: Iterable[Key], dirty: Dirty) -> None:
        counts = self._nodes[node].references
        for key in keys:
            counts[key] -= 1
            if not counts[key]:
                del counts[key]
                dirty.mark(node, key)

    def _forget_if_empty(self, node: str) -> None:
        own = self._nodes[node]
        if own.config is None and not own.pods:
            del self._nodes[node]
