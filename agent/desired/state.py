"""What the master wants of this node: built from cuts, kept as messages, read as values of the pods and the network.

Owns the state at one revision. A cut's messages are collected and applied whole after the last one. A delta for another
revision is a Gap, a message that makes no sense is Garbled: both change nothing. An item that breaks a rule
(wire/sanity.py) is refused alone: it stays as it was. Does no I/O (disk.py keeps it).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from agent import model
from agent.wire import desired as convert
from agent.wire import names, network
from agent.wire.errors import Gap, Garbled
from agent.wire.sanity import Ref, Refusal, check_node, take_out
from netstack.desired import NetworkState, NodeSettings
from proto import contract
from proto.gen import desired_pb2, session_pb2

# Counted for each message beside its content, so that endless empty messages reach the limit too.
_MESSAGE_BYTES = 1024

MAX_REFUSALS: Final = 100
"""Refused items of one cut that are remembered and reported."""
MAX_REFUSED_PODS: Final = 4096
"""Far more than a node has; a bound for a hostile master."""

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class _Content:
    """The items of the state by key."""

    node: desired_pb2.NodeConfig | None = None
    pods: dict[str, desired_pb2.Pod] = field(default_factory=dict)
    services: dict[Ref, desired_pb2.Service] = field(default_factory=dict)
    endpoints: dict[Ref, desired_pb2.ServiceEndpoints] = field(default_factory=dict)
    """From masters that speak version 2 of the protocol, and from disk."""
    slices: dict[Ref, desired_pb2.EndpointSlice] = field(default_factory=dict)
    """From newer masters."""
    peers: dict[str, desired_pb2.Peer] = field(default_factory=dict)
    config_maps: dict[Ref, desired_pb2.ConfigMap] = field(default_factory=dict)
    secrets: dict[Ref, desired_pb2.Secret] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    """Refused pods that were not known before, at most MAX_REFUSED_PODS."""

    def apply(self, cut: session_pb2.Cut) -> None:
        if cut.HasField("node"):
            self.node = cut.node
        self.pods.update((pod.uid, pod) for pod in cut.pods)
        self.refused.difference_update(self.pods.keys(), cut.removed_pods)
        self.services.update((_key(service.ref), service) for service in cut.services)
        self.endpoints.update((_key(endpoints.ref), endpoints) for endpoints in cut.endpoints)
        self.slices.update((_key(part.ref), part) for part in cut.endpoint_slices)
        self.peers.update((peer.name, peer) for peer in cut.peers)
        self.config_maps.update((_key(config_map.ref), config_map) for config_map in cut.config_maps)
        self.secrets.update((_key(secret.ref), secret) for secret in cut.secrets)
        _drop(self.pods, cut.removed_pods)
        _drop(self.services, map(_key, cut.removed_services))
        _drop(self.endpoints, map(_key, cut.removed_endpoints))
        _drop(self.slices, map(_key, cut.removed_endpoint_slices))
        _drop(self.peers, cut.removed_peers)
        _drop(self.config_maps, map(_key, cut.removed_config_maps))
        _drop(self.secrets, map(_key, cut.removed_secrets))

    def keep(self, refusal: Refusal, before: _Content) -> None:
        """Keep the refused item as it was before this content replaced it."""
        name = "slices" if refusal.field == "endpoint_slices" else refusal.field
        old = getattr(before, name).get(refusal.key)
        if old is not None:
            getattr(self, name).setdefault(refusal.key, old)
        elif refusal.is_pod and refusal.key not in self.pods and len(self.refused) < MAX_REFUSED_PODS:
            self.refused.add(str(refusal.key))

    def backends(self) -> dict[Ref, list[desired_pb2.EndpointSubset]]:
        """The endpoints of each service, by namespace and name."""
        found = {key: list(endpoints.subsets) for key, endpoints in self.endpoints.items()}
        for (namespace, _), part in self.slices.items():
            found.setdefault((namespace, part.service), []).append(part.endpoints)
        return found


class DesiredState:
    """The present state, and the messages of the cut that is arriving."""

    def __init__(self) -> None:
        self._content = _Content()
        self._arriving: list[session_pb2.Cut] = []
        self._arriving_bytes = 0
        self._refusals: list[Refusal] = []
        """Refused items of the cut that is arriving."""
        self._refused: frozenset[Refusal] = frozenset()
        """What `take_refusals` has returned since the last snapshot."""
        self._unreported: list[Refusal] = []
        self._names = names.DnsNames()
        self._pods: dict[str, tuple[desired_pb2.Pod, model.Pod]] = {}
        self.revision = 0
        self.complete = False
        """A snapshot has come from the master: what is not in the state may be removed from the node."""
        self.secrets_known = False

    def receive(self, message: session_pb2.Cut, *, member: bool = False) -> bool:
        """Take one message of a cut; True when the cut is complete and was applied. Raises Gap, Garbled.

        `member`: the node belongs to the cluster. A snapshot without its configuration is refused then, as it would end
        every pod.
        """
        try:
            self._check(message, member=member)
        except (Gap, Garbled):
            self.interrupted()
            raise
        self._refusals.extend(take_out(message))
        self._arriving.append(message)
        if not message.last:
            return False
        arrived, refusals = self._arriving, self._refusals
        self.interrupted()
        self._apply(arrived, refusals)
        return True

    def take_refusals(self) -> list[Refusal]:
        """The items that were refused and are not yet reported, at most MAX_REFUSALS of one cut."""
        refusals, self._unreported = self._unreported, []
        return refusals

    def _check(self, message: session_pb2.Cut, *, member: bool) -> None:
        first = self._arriving[0] if self._arriving else message
        if not first.snapshot and first.base_revision != self.revision:
            raise Gap(f"delta for revision {first.base_revision} at revision {self.revision}")
        if _range(message) != _range(first):
            raise Garbled(f"a cut of revision {first.revision} is continued with revision {message.revision}")
        if message.revision < message.base_revision:
            raise Garbled(f"a delta from revision {message.base_revision} back to {message.revision}")
        if member and first.snapshot and not first.HasField("node"):
            raise Garbled("a snapshot without this node's configuration")
        self._arriving_bytes += message.ByteSize() + _MESSAGE_BYTES
        if self._arriving_bytes > contract.MAX_STATE_BYTES:
            raise Garbled(f"a cut of more than {contract.MAX_STATE_BYTES >> 20} MiB")
        check_node(message)

    def restore(self, cut: session_pb2.Cut, *, secrets_known: bool) -> None:
        """Use a state that was read from disk."""
        self._unreported.extend(take_out(cut))  # written by another release
        self._content = _Content()
        self._content.apply(cut)
        self.revision = cut.revision
        self.secrets_known = secrets_known

    def interrupted(self) -> None:
        """The stream ended: forget the part of a cut that has arrived."""
        self._arriving, self._arriving_bytes, self._refusals = [], 0, []

    def dump(self, *, secrets: bool) -> session_pb2.Cut:
        """The whole state as one snapshot, without slices: after a rollback, the release before could not read them."""
        content = self._content
        endpoints = (
            desired_pb2.ServiceEndpoints(ref=_ref(service), subsets=subsets)
            for service, subsets in content.backends().items()
        )
        cut = session_pb2.Cut(
            snapshot=True,
            revision=self.revision,
            last=True,
            node=content.node,
            pods=content.pods.values(),
            services=content.services.values(),
            endpoints=endpoints,
            peers=content.peers.values(),
            config_maps=content.config_maps.values(),
        )
        if secrets:
            cut.secrets.extend(content.secrets.values())
        return cut

    @property
    def member(self) -> bool:
        """The state has this node's configuration; False before the first snapshot, and for a removed node."""
        return self._content.node is not None

    def ref(self, uid: model.PodUid) -> model.ObjectRef | None:
        """Namespace and name of a desired pod."""
        pod = self._content.pods.get(uid)
        return model.ObjectRef(pod.namespace, pod.name) if pod else None

    def network_settings(self, *, node_name: str, state_dir: Path) -> NodeSettings | None:
        """How this node takes part in the networks; None unless `member`. Raises ValueError."""
        node = self._content.node
        return network.settings(node, node_name=node_name, state_dir=state_dir) if node is not None else None

    def for_network(self) -> NetworkState:
        """Peers and services of the node's network."""
        content = self._content
        return network.network_state(
            content.node, content.peers.values(), content.services.values(), content.backends()
        )

    def for_dns(self) -> names.DnsContent | None:
        """What the node's own DNS has to know; None if the node has none. An unchanged service is the same object."""
        content, backends = self._content, self._content.backends()
        address = network.own_dns(content.node, content.services.values(), backends)
        if content.node is None or address is None:
            return None
        return self._names.content(content.node, content.services, backends, address)

    def for_pods(self) -> model.Desired:
        """Everything that pods need. An unchanged pod is the same object as in the last call."""
        content = self._content
        self._pods = {uid: self._converted(uid, pod) for uid, pod in content.pods.items()}
        return model.Desired(
            pods={model.PodUid(uid): pod for uid, (_, pod) in self._pods.items()},
            services=tuple(
                convert.service_from_proto(service)
                for _, service in sorted(content.services.items(), key=lambda item: item[0])
            ),
            config_maps=dict(map(_config_map, content.config_maps.values())),
            secrets=dict(map(_secret, content.secrets.values())),
            secrets_known=self.secrets_known,
            host_ip=content.node.node_address if content.node else "",
            dns=network.cluster_dns(content.node, content.services.values()),
            refused=frozenset(map(model.PodUid, content.refused)),
        )

    def _apply(self, messages: list[session_pb2.Cut], refusals: list[Refusal]) -> None:
        snapshot, before = messages[0].snapshot, self._content
        if snapshot:
            self._content = _Content()
        for message in messages:
            self._content.apply(message)
        for refusal in refusals:
            self._content.keep(refusal, before)
        self._note(refusals[:MAX_REFUSALS], snapshot=snapshot)
        self.revision = messages[0].revision
        if snapshot:
            self.complete = True
            self.secrets_known = True

    def _note(self, refusals: list[Refusal], *, snapshot: bool) -> None:
        """Report each refusal once: every new session repeats it with its snapshot."""
        self._unreported = [*self._unreported, *(each for each in refusals if each not in self._refused)][:MAX_REFUSALS]
        known = () if snapshot or len(self._refused) > MAX_REFUSALS else self._refused
        self._refused = frozenset((*known, *refusals))

    def _converted(self, uid: str, pod: desired_pb2.Pod) -> tuple[desired_pb2.Pod, model.Pod]:
        before = self._pods.get(uid)
        return before if before is not None and before[0] is pod else (pod, convert.pod_from_proto(pod))


def _config_map(message: desired_pb2.ConfigMap) -> tuple[model.ObjectRef, model.ConfigMap]:
    return convert.ref_from_proto(message.ref), convert.config_map_from_proto(message)


def _secret(message: desired_pb2.Secret) -> tuple[model.ObjectRef, model.Secret]:
    return convert.ref_from_proto(message.ref), convert.secret_from_proto(message)


def _range(cut: session_pb2.Cut) -> tuple[bool, int, int]:
    """Type and revisions, which are the same in all messages of one cut."""
    return cut.snapshot, cut.base_revision, cut.revision


def _key(ref: desired_pb2.ObjectRef) -> Ref:
    return ref.namespace, ref.name


def _ref(key: Ref) -> desired_pb2.ObjectRef:
    return desired_pb2.ObjectRef(namespace=key[0], name=key[1])


def _drop(items: dict[K, V], keys: Iterable[K]) -> None:
    for key in keys:
        items.pop(key, None)
