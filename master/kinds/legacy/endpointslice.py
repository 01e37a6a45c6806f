"""EndpointSlice in discovery.k8s.io/v1beta1: the node and zone of an endpoint are keys of its `topology`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from master.registry.resource import Version
from master.schema.data import Data
from master.schema.facts import facts
from master.schema.tree import Items, Struct

_HOST: Final = "kubernetes.io/hostname"
_ZONE: Final = "topology.kubernetes.io/zone"


def _tree() -> Struct:
    """The types of `v1`, with `topology` instead of the fields that replaced it."""
    whole = facts().struct("discovery.v1.EndpointSlice")
    endpoints = whole.fields["endpoints"]
    assert isinstance(endpoints.node, Items) and isinstance(endpoints.node.item, Struct)
    endpoint = endpoints.node.item
    fields = {name: field for name, field in endpoint.fields.items() if name != "zone"}
    fields["topology"] = replace(fields.pop("deprecatedTopology"), name="topology")
    items = replace(endpoints.node, item=replace(endpoint, fields=fields))
    return replace(whole, fields={**whole.fields, "endpoints": replace(endpoints, node=items)})


def _each_endpoint(convert: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def converted(value: dict[str, Any]) -> dict[str, Any]:
        return {**value, "endpoints": [convert(endpoint) for endpoint in value.get("endpoints", ())]}

    return converted


def _to_stored(endpoint: dict[str, Any]) -> dict[str, Any]:
    """A hostname in the topology stays there if it differs from the node's name."""
    new = {key: value for key, value in endpoint.items() if key != "topology"}
    topology = dict(endpoint.get("topology", {}))
    if _ZONE in topology:
        new["zone"] = topology.pop(_ZONE)
    if topology.get(_HOST) is not None and topology[_HOST] == endpoint.get("nodeName"):
        del topology[_HOST]
    return {**new, "deprecatedTopology": topology} if topology else new


def _from_stored(endpoint: dict[str, Any]) -> dict[str, Any]:
    old = {key: value for key, value in endpoint.items() if key not in ("deprecatedTopology", "zone")}
    topology = dict(endpoint.get("deprecatedTopology", {}))
    if endpoint.get("zone") is not None:
        topology[_ZONE] = endpoint["zone"]
    if endpoint.get("nodeName") is not None:
        topology.setdefault(_HOST, endpoint["nodeName"])
    return {**old, "topology": topology} if topology else old


ENDPOINTSLICE_V1BETA1: Final = Version(
    "v1beta1",
    Data("EndpointSlice", _tree),
    from_stored=_each_endpoint(_from_stored),
    to_stored=_each_endpoint(_to_stored),
    old=True,
)
