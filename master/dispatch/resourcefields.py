"""References to requests and limits of containers (resourceFieldRef), for their node. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from master.kinds.core.pod.container import Container
from master.kinds.core.pod.keys import ResourceFieldSelector
from master.schema.quantity import bytes_of, millis_of
from proto.gen import desired_pb2 as wire

CPU = "cpu"


def resource_message(
    ref: ResourceFieldSelector, containers: Iterable[Container], own: Container | None = None
) -> wire.ResourceField:
    """The number that the reference is about: of the container that it names, or of its `own`."""
    kind, _, name = ref.resource.partition(".")
    convert = millis_of if name == CPU else bytes_of
    # As in Kubernetes, 0 means the default.
    divisor = convert(str(ref.divisor or "1")) or convert("1")
    message = wire.ResourceField(resource=name, divisor=divisor)
    container = own
    if ref.container_name:
        container = next((each for each in containers if each.name == ref.container_name), None)
    if container is None:
        message.problem = f"container {ref.container_name} not found"
        return message
    limits = kind == "limits"
    amount = convert((container.resources.limits if limits else container.resources.requests).get(name, "0"))
    if amount or not limits:
        message.amount = amount
    return message


def text_of(message: wire.ResourceField) -> str | None:
    """The value as the container sees it; None if only its node knows it."""
    if message.problem or not message.HasField("amount"):
        return None
    return str(-(-message.amount // message.divisor))
