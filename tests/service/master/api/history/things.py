"""The objects that the writers of this test share: three kinds, a handful of names in three namespaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from urllib.parse import quote

from master import kinds
from master.registry.resource import Resource

NAMESPACES: Final = ("default", "kube-public", "kube-system")
NAMES: Final = ("a", "b", "c")
GENERATED: Final = "g-"
TIERS: Final = ("front", "back", "store")
ADDRESSES: Final = "10.96.0.0/28"
NODE_PORTS: Final = range(30000, 30006)
WRITERS: Final = 5
# A service, a kind with generation and status, and a kind without a spec.
KINDS: Final[dict[str, Resource[Any]]] = {
    kind.plural: kind for kind in (kinds.SERVICE, kinds.REPLICATIONCONTROLLER, kinds.CONFIGMAP)
}
# The stamp of the write is in this annotation, and in this field of a status.
STAMP: Final = "stamp"
STATUS_STAMP: Final = "observedGeneration"

Labels = Mapping[str, str]
Json = dict[str, Any]


@dataclass(frozen=True, order=True, slots=True)
class Key:
    """One object's place. An empty name: a whole collection; an empty namespace: all of them."""

    plural: str
    namespace: str
    name: str = ""

    @property
    def path(self) -> str:
        scope = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"/api/v1{scope}/{self.plural}" + (f"/{self.name}" if self.name else "")

    def __str__(self) -> str:
        return f"{self.plural} {self.namespace}/{self.name}"


SELECTORS: Final[dict[str, Callable[[Labels], bool]]] = {
    "": lambda labels: True,
    "tier=front": lambda labels: labels.get("tier") == "front",
    "tier in (front,back)": lambda labels: labels.get("tier") in ("front", "back"),
    "!tier": lambda labels: "tier" not in labels,
    "tier!=store": lambda labels: labels.get("tier") != "store",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of a list or watch: a collection and a label selector."""

    collection: Key
    selector: str = ""

    def has(self, key: Key, value: Json) -> bool:
        own = self.collection
        inside = key.plural == own.plural and own.namespace in ("", key.namespace)
        return inside and SELECTORS[self.selector](value["metadata"].get("labels", {}))

    def path(self, **query: str) -> str:
        if self.selector:
            query["labelSelector"] = self.selector
        text = "&".join(f"{name}={quote(value)}" for name, value in query.items())
        return self.collection.path + (f"?{text}" if text else "")


def any_key(chance: Random) -> Key:
    """An object. Some are chosen more often, so that writers meet."""
    if chance.random() < 0.4:
        return Key(chance.choice([*KINDS]), NAMESPACES[0], NAMES[0])
    return Key(chance.choice([*KINDS]), chance.choice(NAMESPACES), chance.choice(NAMES))


def any_selection(chance: Random) -> Selection:
    namespace = chance.choice(("", "", *NAMESPACES))
    return Selection(Key(chance.choice([*KINDS]), namespace), chance.choice(("", *SELECTORS)))


def chosen_address(chance: Random) -> str:
    """A cluster IP that a service asks for: few, so that services want the same one."""
    return f"10.96.0.{chance.choice((2, 3, 14))}"


def labels(chance: Random) -> dict[str, str]:
    tier = chance.choice((*TIERS, ""))
    return {"app": "x", **({"tier": tier} if tier else {})}


def marks(stamp: int, writer: int) -> dict[str, str]:
    """The annotations of a write. A patch by one writer must not lose the annotation of another one."""
    return {STAMP: str(stamp), f"writer-{writer}": str(stamp)}


def content(plural: str, chance: Random, stamp: int) -> Json:
    """What is peculiar to the kind, with random values."""
    if plural == "configmaps":
        return {"data": {"value": str(stamp)}}
    if plural == "replicationcontrollers":
        pod = {"containers": [{"name": "c", "image": "i"}]}
        template = {"metadata": {"labels": {"app": "x"}}, "spec": pod}
        return {"spec": {"replicas": chance.randrange(4), "selector": {"app": "x"}, "template": template}}
    spec: Json = {"type": chance.choice(("ClusterIP", "NodePort")), "ports": [{"port": chance.choice((80, 81))}]}
    if chance.random() < 0.3:
        spec["clusterIP"] = chosen_address(chance)
    if spec["type"] == "NodePort" and chance.random() < 0.3:
        spec["ports"][0]["nodePort"] = chance.choice(NODE_PORTS[:2])
    return {"spec": spec}


def unique_keys(value: Json) -> set[str]:
    """The uniqueness keys that a service must hold; other kinds hold none."""
    if value["kind"] != "Service":
        return set()
    spec = value.get("spec", {})
    ports = {
        f"/unique/nodeport/{port.get('protocol', 'TCP')}/{port['nodePort']}"
        for port in spec.get("ports", [])
        if port.get("nodePort")
    }
    address = spec.get("clusterIP", "")
    return ports | ({f"/unique/clusterip/{address}"} if address not in ("", "None") else set())
