"""The desired state of each node, updated by the cache's changes: no I/O, no tasks, no sessions.

Owns the rule of what a node gets: its own configuration and pods, the config maps and secrets that these reference, all
services with their endpoints, and its peers. Items are kept encoded; an item that is the same for all nodes is kept
once. `apply` returns the keys that changed for each node, `snapshot` and `delta` make the messages of a cut. An object
that agents would refuse is not sent.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgspec

from master.cache import Unreadable
from master.dispatch import convert, cuts
from master.dispatch.changes import Change, Dirty
from master.dispatch.claims import Claims
from master.dispatch.encoded import Encoded
from master.dispatch.endpoints import Mirrored, slice_message
from master.dispatch.items import NODE_KEY, Key, Message, Section, encode, encode_removed, key_of
from master.dispatch.nodeitems import TOO_LARGE, NodeItems
from master.dispatch.poditems import adapt, ending, older_item
from master.dispatch.references import references
from master.dispatch.shared import MAX_SHARED_BYTES, Shared
from master.dispatch.withheld import SINCE
from master.kinds import (
    CONFIGMAP,
    ENDPOINTS,
    ENDPOINTSLICE,
    NODE,
    PERSISTENTVOLUME,
    PERSISTENTVOLUMECLAIM,
    POD,
    SECRET,
    SERVICE,
)
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.endpoints import Endpoints
from master.kinds.core.node import Node
from master.kinds.core.pod.model import Pod
from master.kinds.core.secret import Secret
from master.kinds.core.service.model import Service
from master.kinds.discovery.endpointslice import EndpointSlice
from master.objects.meta import Object
from master.registry.resource import Resource
from master.schema.data import Untyped
from proto import contract

KINDS: tuple[Resource[Any], ...] = (
    *(NODE, POD, SERVICE, ENDPOINTS, ENDPOINTSLICE, CONFIGMAP, SECRET),
    *(PERSISTENTVOLUMECLAIM, PERSISTENTVOLUME),
)

MAX_DELTAS: Final = 64
"""Deltas of one revision that are kept for other sessions."""

_OF_ALL_NODES: Final = frozenset({Section.PEER, Section.SERVICE, Section.ENDPOINTS, Section.ENDPOINT_SLICE})

log = logging.getLogger(__name__)

OnUnsendable = Callable[[Object, str], None]
"""Gets an object that is not sent, and the problem."""


class _Placed(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A pod's node and references. There is one for each pod, and it is in no cycle of references."""

    node: str
    references: frozenset[Key]


class View:
    """The desired states of all nodes."""

    def __init__(self, cluster_cidr: str, service_cidr: str, *, on_unsendable: OnUnsendable | None = None) -> None:
        self._cluster_cidr = cluster_cidr
        self._service_cidr = service_cidr
        self._on_unsendable = on_unsendable
        self._shared = Shared()
        self._nodes: dict[str, NodeItems] = {}
        self._placed: dict[str, _Placed] = {}
        self._payloads: Encoded[ConfigMap | Secret] = Encoded(self._encode_payload)
        self._holders: dict[Key, set[str]] = {}
        """The nodes with pods that reference a config map or secret."""
        self._endpoints: Encoded[Endpoints] = Encoded(
            lambda obj: self._encode(obj, lambda: convert.endpoints_message(obj))
        )
        self._mirrored = Mirrored()
        self._claims = Claims()
        self._deltas: dict[tuple[int, frozenset[Key]], list[bytes]] = {}
        self.revision = 0

    def load(self, revision: int, objects: Iterable[tuple[Resource[Object], Object]]) -> None:
        """Fills a new view from a snapshot."""
        for _, obj in objects:
            self.put(obj)
        self.revision = revision

    def put(self, obj: Object) -> None:
        """Adds an object of the snapshot to a new view, which no session reads yet."""
        self._set(obj, Dirty())

    def apply(self, revision: int, changes: Iterable[Change]) -> Dirty:
        """Applies one commit. Returns the keys whose items changed."""
        dirty = Dirty()
        for change in changes:
            with suppress(Unreadable):  # the log names the object, which no node has
                (self._remove if change.type == "DELETED" else self._set)(change.obj, dirty)
        self.revision = revision
        self._deltas.clear()
        return dirty

    # --- reading -----------------------------------------------------------------------------------------------------

    def lookup(self, node: str, key: Key, version: int = contract.PROTOCOL_VERSION) -> bytes | None:
        """The node's current item, for an agent of this protocol version; None when the node is not to have it."""
        own = self._nodes.get(node)
        match key.section:
            case Section.SERVICE | Section.ENDPOINT_SLICE:
                return self._shared.get(key)
            case Section.ENDPOINTS:
                return self._endpoints.item(key)
            case Section.PEER:
                return None if key.name == node else self._shared.get(key)
            case Section.NODE:
                return own.config if own else None
            case Section.POD:
                if own is None:
                    return None
                return own.pods.get(key.name) if version >= SINCE else older_item(own, key.name)
            case Section.CONFIG_MAP | Section.SECRET:
                has = own is not None and key in own.references and key not in own.withheld
                return self._payloads.item(key) if has else None

    def snapshot(self, node: str, version: int = contract.PROTOCOL_VERSION) -> list[bytes]:
        """The messages with all items of the node, for an agent of this protocol version."""
        return cuts.snapshot(self.revision, self._pieces(node, version))

    def delta(self, node: str, base: int, keys: Set[Key], version: int = contract.PROTOCOL_VERSION) -> list[bytes]:
        """The messages with these items since revision `base`. Sessions that need the same bytes share them."""
        of_all = all(key.section in _OF_ALL_NODES for key in keys) and Key(Section.PEER, "", node) not in keys
        same = base, frozenset(keys)
        if of_all and (messages := self._deltas.get(same)) is not None:
            return messages
        items = [self.lookup(node, key, version) or encode_removed(key) for key in sorted(keys)]
        messages = cuts.delta(base, self.revision, items)
        if of_all and len(self._deltas) < MAX_DELTAS:
            self._deltas[same] = messages
        return messages

    def _pieces(self, node: str, version: int) -> Iterator[bytes]:
        """Items, joined where they are the same for all nodes, in the order of their sections."""
        own = self._nodes.get(node) or NodeItems()
        if own.config is not None:
            yield own.config
        yield from self._shared.pieces(Section.PEER, without=Key(Section.PEER, "", node))
        yield from self._shared.pieces(Section.SERVICE)
        if version >= contract.SLICES_SINCE:
            yield from self._shared.pieces(Section.ENDPOINT_SLICE)
        else:
            yield from filter(None, map(self._endpoints.item, self._endpoints))
        yield from filter(None, map(self._payloads.item, sorted(own.references.keys() - own.withheld)))
        yield from own.pods.values() if version >= SINCE else filter(None, (older_item(own, uid) for uid in own.pods))

    # --- objects -----------------------------------------------------------------------------------------------------

    def _set(self, obj: Object, dirty: Dirty) -> None:
        meta = obj.metadata
        match obj:
            case Pod():
                self._place(obj, dirty)
            case Service():
                self._share(key_of(obj), obj, lambda: convert.service_message(obj), dirty)
                self._set_selector(meta.namespace, meta.name, obj, dirty)
            case Endpoints():
                self._set_endpoints(key_of(obj), obj, dirty)
            case EndpointSlice():
                self._share(key_of(obj), obj, lambda: slice_message(obj), dirty)
            case Node():
                self._set_node(obj, dirty)
            case ConfigMap() | Secret():
                self._set_payload(key_of(obj), obj, dirty)
            case Untyped():
                self._set_storage(obj, dirty)
            case _:
                pass

    def _remove(self, obj: Object, dirty: Dirty) -> None:
        meta = obj.metadata
        match obj:
            case Pod():
                self._claims.leave(obj)
                self._displace(meta.uid, dirty)
                if own := self._nodes.get(obj.spec.node_name):
                    own.waiting.pop(meta.uid, None)
                    self._forget_if_empty(obj.spec.node_name)
            case Service():
                self._put(key_of(obj), None, dirty)
                self._set_selector(meta.namespace, meta.name, None, dirty)
            case Endpoints():
                self._set_endpoints(key_of(obj), None, dirty)
            case EndpointSlice():
                self._put(key_of(obj), None, dirty)
            case Node():
                self._put(Key(Section.PEER, "", meta.name), None, dirty)
                if own := self._nodes.get(meta.name):
                    own.config = None
                    self._forget_if_empty(meta.name)
            case ConfigMap() | Secret():
                self._set_payload(key_of(obj), None, dirty)
            case Untyped():
                self._set_storage(obj, dirty, removed=True)
            case _:
                pass

    def _set_storage(self, obj: Untyped, dirty: Dirty, *, removed: bool = False) -> None:
        """A claim or a volume changes the pods that use it."""
        for pod in self._claims.put(obj, removed=removed):
            self._place(pod, dirty)

    def _share(self, key: Key, obj: Object, make: Callable[[], Message | None], dirty: Dirty) -> None:
        item = self._encode(obj, make)
        if item is None:
            return
        if not self._shared.fits(key, item):
            self._report(obj, f"the items of all nodes would have more than {MAX_SHARED_BYTES >> 20} MiB")
            return
        self._put(key, item or None, dirty)

    def _put(self, key: Key, item: bytes | None, dirty: Dirty) -> None:
        if self._shared.put(key, item):
            dirty.shared.add(key)

    def _encode(self, obj: Object, make: Callable[[], Message | None]) -> bytes | None:
        """The item of any stored object; empty if it is nothing for nodes. None if it cannot be sent: reports that."""
        try:
            message = make()
            return encode(message) if message is not None else b""
        except (ValueError, TypeError, OverflowError) as error:
            self._report(obj, str(error))
            return None

    def _report(self, obj: Object, problem: str) -> None:
        meta = obj.metadata
        log.error("%s %s/%s cannot be sent to nodes: %s", type(obj).__name__, meta.namespace, meta.name, problem)
        if self._on_unsendable is not None:
            self._on_unsendable(obj, problem)

    def _set_node(self, node: Node, dirty: Dirty) -> None:
        name = node.metadata.name
        self._share(Key(Section.PEER, "", name), node, lambda: convert.peer_message(node), dirty)
        own = self._nodes.setdefault(name, NodeItems())
        if not convert.is_addressed(node):
            return  # its agent has not registered it yet
        config = self._encode(node, lambda: convert.node_config(node, self._cluster_cidr, self._service_cidr))
        if config is not None and config != own.config:
            own.config = config
            dirty.mark(name, NODE_KEY)

    # --- endpoints ---------------------------------------------------------------------------------------------------

    def _set_endpoints(self, key: Key, endpoints: Endpoints | None, dirty: Dirty) -> None:
        if self._endpoints.put(key, endpoints):
            dirty.shared.add(key)
        self._mirror(key, dirty)

    def _set_selector(self, namespace: str, name: str, service: Service | None, dirty: Dirty) -> None:
        key = Key(Section.ENDPOINTS, namespace, name)
        if self._mirrored.set_selector(key, service):
            self._mirror(key, dirty)

    def _mirror(self, key: Key, dirty: Dirty) -> None:
        endpoints = self._endpoints.get(key)
        for name, message in self._mirrored.changes(key, endpoints):
            slice_key = Key(Section.ENDPOINT_SLICE, key.namespace, name)
            if message is None or endpoints is None:
                self._put(slice_key, None, dirty)
            else:
                self._share(slice_key, endpoints, partial(_same, message), dirty)

    # --- config maps and secrets -------------------------------------------------------------------------------------

    def _set_payload(self, key: Key, obj: ConfigMap | Secret | None, dirty: Dirty) -> None:
        if not self._payloads.put(key, obj):
            return
        for name in tuple(self._holders.get(key, ())):
            self._weigh(name, key)
            dirty.mark(name, key)
            self._use_space(name, dirty)

    def _weigh(self, node: str, key: Key) -> None:
        obj = self._payloads.get(key)
        if not self._nodes[node].weigh(key, self._size_bytes(key)) and obj is not None:
            self._report(obj, f"node {node}: {TOO_LARGE}")

    def _size_bytes(self, key: Key) -> int:
        return len(self._payloads.item(key) or b"")

    def _encode_payload(self, obj: ConfigMap | Secret) -> bytes | None:
        if isinstance(obj, Secret):
            return self._encode(obj, lambda: convert.secret_message(obj))
        return self._encode(obj, lambda: convert.config_map_message(obj))

    def _hold(self, node: str, keys: Iterable[Key], dirty: Dirty) -> None:
        counts = self._nodes[node].references
        for key in keys:
            counts[key] = counts.get(key, 0) + 1
            if counts[key] == 1:
                self._holders.setdefault(key, set()).add(node)
                self._weigh(node, key)
                if key in self._payloads:
                    dirty.mark(node, key)

    def _release(self, node: str, keys: Iterable[Key], dirty: Dirty) -> None:
        own = self._nodes[node]
        for key in keys:
            own.references[key] -= 1
            if not own.references[key]:
                own.drop_reference(key)
                dirty.mark(node, key)
                holders = self._holders[key]
                holders.discard(node)
                if not holders:
                    del self._holders[key]

    # --- pods --------------------------------------------------------------------------------------------------------

    def _place(self, pod: Pod, dirty: Dirty) -> None:
        uid, node = pod.metadata.uid, pod.spec.node_name
        before = self._placed.get(uid)
        if before and before.node != node:
            self._displace(uid, dirty)
            before = None
        if not node:
            return
        sent = self._nodes[node].pods[uid] if before else None
        self._claims.use(pod)
        item = self._encode(pod, lambda: convert.pod_message(pod, self._claims))
        if item is None and pod.metadata.deletion_timestamp:
            item = self._encode(pod, lambda: ending(pod, sent))
        if item is None:
            return
        own = self._nodes.setdefault(node, NodeItems())
        if item == sent:
            if uid in own.older:
                adapt(own, uid, item, pod)
            return
        needed = references(pod)
        held = before.references if before else frozenset()
        more_bytes = len(item) - len(sent or b"") + sum(map(self._size_bytes, needed - own.references.keys()))
        if not pod.metadata.deletion_timestamp and not own.fits(more_bytes):
            if uid not in own.waiting:
                self._report(pod, f"node {node}: {TOO_LARGE}")
            own.waiting[uid] = pod
            return
        own.waiting.pop(uid, None)
        own.set_pod(uid, item)
        adapt(own, uid, item, pod)
        dirty.mark(node, Key(Section.POD, "", uid))
        self._placed[uid] = _Placed(sys.intern(node), needed)
        self._hold(node, needed - held, dirty)
        self._release(node, held - needed, dirty)

    def _displace(self, uid: str, dirty: Dirty) -> None:
        placed = self._placed.pop(uid, None)
        if placed is None:
            return
        own = self._nodes[placed.node]
        own.drop_pod(uid)
        dirty.mark(placed.node, Key(Section.POD, "", uid))
        self._release(placed.node, placed.references, dirty)
        own.waiting.pop(uid, None)
        self._use_space(placed.node, dirty)
        self._forget_if_empty(placed.node)

    def _use_space(self, node: str, dirty: Dirty) -> None:
        """Send what did not fit before."""
        own = self._nodes[node]
        for key in sorted(own.withheld):
            if own.weigh(key, self._size_bytes(key)):
                dirty.mark(node, key)
        for pod in list(own.waiting.values()):
            self._place(pod, dirty)

    def _forget_if_empty(self, node: str) -> None:
        if self._nodes[node].empty:
            del self._nodes[node]


def _same(message: Message) -> Message:
    return message
