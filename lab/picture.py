"""A drawing of a lab: `collect` reads its record, its processes and its API; `drawing_of` turns that into a drawing.

Changes nothing and needs no lock. It also works for a lab in which much is broken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from client.errors import ClientError
from hull import processes
from hull.processes import ProcessRecord
from lab.cluster import AGENT, MASTER, Cluster
from lab.network import subnets
from lab.network.wire_faults import HOST_LINK
from lab.state import HostState, LabState
from lab.wire import USUAL_MTU
from netrig.drawing.metrics import shortened
from netrig.drawing.model import Cable, Drawing, Item, Place, Shape, Tone

_API_TIMEOUT_S: Final = 3.0
_LONGEST_NOTE: Final = 100
_BRIDGE: Final = "underlay"
_OUTSIDE: Final = "this machine"
_ENGINE_DAEMONS: Final = ("containerd", "dockerd")
_USUAL_NAMESPACE: Final = "default"
_UP, _PAUSED, _STOPPED, _NEVER = "up", "paused", "stopped", "not started"
_PROCESS_TONES: Final = {_UP: Tone.GOOD, _PAUSED: Tone.PAUSED, _STOPPED: Tone.BAD, _NEVER: Tone.ENDED}
_TERMINATING, _NOT_READY = "Terminating", "not ready"
_POD_TONES: Final = {
    "Running": Tone.GOOD,
    "Pending": Tone.WAITING,
    _NOT_READY: Tone.WAITING,
    "Succeeded": Tone.ENDED,
    _TERMINATING: Tone.ENDED,
}
_NODE_WORDS: Final = {"True": "Ready", "False": "NotReady"}

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PodSeen:
    """A pod, as reported by the API; `node` is empty while the pod is not bound."""

    namespace: str
    name: str
    node: str
    address: str
    phase: str


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A node, as reported by the API. `status`: Ready, NotReady or Unknown."""

    name: str
    status: str
    pod_cidr: str


@dataclass(frozen=True, slots=True)
class Observed:
    """The state of a lab. `conditions`: host → daemon → up, paused, stopped or not started."""

    state: LabState
    root_link: str
    conditions: Mapping[str, Mapping[str, str]]
    registry: str = ""
    nodes: Mapping[str, NodeSeen] = field(default_factory=dict)
    pods: tuple[PodSeen, ...] = ()
    api_error: str = ""
    """Why the API reported nothing."""


def collect(cluster: Cluster) -> Observed:
    """The present state. Raises NotFound if the lab does not exist."""
    state = cluster.lab.state
    nodes, pods, api_error = _query(cluster)
    return Observed(
        state,
        cluster.lab.layout.root_link,
        {host.name: dict(_conditions(host)) for host in state.hosts},
        _condition([state.registry]) if state.registry else "",
        nodes,
        pods,
        api_error,
    )


def drawing_of(lab: Observed) -> Drawing:
    """The machine itself and the master are above the bridge, the nodes below it."""
    state = lab.state
    bridge = f"{subnets.bridge_address(state.subnet)}/{state.subnet.prefixlen}"
    registry = (_process("registry", lab.registry),) if lab.registry else ()
    places = [
        Place(_BRIDGE, "bridge", Shape.BAR, lines=(bridge,), processes=registry),
        Place(_OUTSIDE, "outside", above=True),
        *(_host(host, lab) for host in state.hosts),
    ]
    outside = f"{lab.root_link} {subnets.root_address(state.subnet)}/{state.subnet.prefixlen}"
    cable_outside = Cable((_BRIDGE, _OUTSIDE), ("", outside), (f"mtu {USUAL_MTU}",))
    cables = [cable_outside, *(_cable(host, state) for host in state.hosts)]
    notes = (f"no pods are shown: {lab.api_error}",) if lab.api_error else ()
    return Drawing(f"lab {state.name}  {state.subnet}", tuple(places), tuple(cables), notes)


def _conditions(host: HostState) -> Iterator[tuple[str, str]]:
    own = MASTER if host.role == "master" else AGENT
    yield own, _condition([host.processes.get(own)])
    if host.role == "node":
        engine = _condition([host.processes.get(name) for name in _ENGINE_DAEMONS])
        # A stopped engine has no record, like one that was never started. Where an agent was started, it was stopped.
        yield "engine", _STOPPED if engine == _NEVER and own in host.processes else engine


def _condition(records: list[ProcessRecord | None]) -> str:
    known = [record for record in records if record is not None]
    if not known:
        return _NEVER
    if len(known) < len(records) or not all(map(processes.alive, known)):
        return _STOPPED
    return _PAUSED if any(map(processes.paused, known)) else _UP


def _query(cluster: Cluster) -> tuple[dict[str, NodeSeen], tuple[PodSeen, ...], str]:
    if cluster.record(cluster.lab.state.master.name) is None or not cluster.kubeconfig.exists():
        return {}, (), "the master does not run"
    try:
        with cluster.client() as client:
            nodes = client.get("/api/v1/nodes", timeout_s=_API_TIMEOUT_S)["items"]
            pods = client.get("/api/v1/pods", timeout_s=_API_TIMEOUT_S)["items"]
    except ClientError as error:
        return {}, (), f"the API does not answer ({shortened(str(error), _LONGEST_NOTE)})"
    return {node["metadata"]["name"]: _node_seen(node) for node in nodes}, tuple(map(_pod_seen, pods)), ""


def _node_seen(node: Object) -> NodeSeen:
    conditions = {entry["type"]: entry["status"] for entry in node.get("status", {}).get("conditions") or []}
    status = _NODE_WORDS.get(conditions.get("Ready", ""), "Unknown")
    return NodeSeen(node["metadata"]["name"], status, node["spec"].get("podCIDR", ""))


def _pod_seen(pod: Object) -> PodSeen:
    """With the phase extended for people: Terminating while the pod is being deleted, `not ready` if it runs so."""
    metadata, status = pod["metadata"], pod.get("status", {})
    phase = str(status.get("phase", "Pending"))
    ready = {entry["type"]: entry["status"] for entry in status.get("conditions") or []}.get("Ready")
    if metadata.get("deletionTimestamp"):
        phase = _TERMINATING
    elif phase == "Running" and ready != "True":
        phase = _NOT_READY
    return PodSeen(
        metadata["namespace"], metadata["name"], pod["spec"].get("nodeName", ""), status.get("podIP", ""), phase
    )


def _host(host: HostState, lab: Observed) -> Place:
    items = [_process(name, condition) for name, condition in lab.conditions.get(host.name, {}).items()]
    node = lab.nodes.get(host.name)
    if node is not None:
        items.append(Item(Tone.GOOD if node.status == "Ready" else Tone.BAD, ("node", node.status)))
    is_master = host.role == "master"
    pods = [pod for pod in lab.pods if pod.node == ("" if is_master else host.name)]
    pods.sort(key=lambda pod: (pod.namespace, pod.name))
    if is_master:
        title = "unbound pods" if pods else ""
    else:
        title = f"pods {node.pod_cidr}{'' if pods else ': none'}" if node is not None else ""
    return Place(
        host.name,
        host.role,
        processes=tuple(items),
        pods_title=title,
        pods=tuple(map(_pod, pods)),
        above=is_master,
    )


def _process(name: str, condition: str) -> Item:
    return Item(_PROCESS_TONES[condition], (name, condition))


def _pod(pod: PodSeen) -> Item:
    full = f"{pod.namespace}/{pod.name}"
    name = pod.name if pod.namespace == _USUAL_NAMESPACE else full
    return Item(_POD_TONES.get(pod.phase, Tone.BAD), (name, pod.address or "-", pod.phase), full)


def _cable(host: HostState, state: LabState) -> Cable:
    usual = (f"mtu {USUAL_MTU}",) if host.wire.mtu == USUAL_MTU else ()
    end = f"{HOST_LINK} {host.address}/{state.subnet.prefixlen}"
    return Cable((_BRIDGE, host.name), ("", end), usual, host.faults(), host.cut)
