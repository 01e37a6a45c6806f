"""The role of a container in its pod, and by which policy it is restarted. Pure functions (Kubernetes: "Sidecar
Containers").
"""

from __future__ import annotations

from enum import Enum, auto

from agent.model import Container, Pod, RestartPolicy


class Role(Enum):
    """What a container is for."""

    INIT = auto()
    """It runs to its end before the containers after it start."""
    SIDECAR = auto()
    """It starts in its place among the init containers, and goes on running until all containers have ended."""
    APP = auto()
    """The pod ends with it and the others of its role."""
    EPHEMERAL = auto()
    """It was added to the running pod. It starts at once, is never restarted, and counts for nothing."""


def role_of(pod: Pod, container: Container) -> Role:
    """The role of a container of the pod."""
    if container in pod.ephemeral_containers:
        return Role.EPHEMERAL
    if container not in pod.init_containers:
        return Role.APP
    return Role.SIDECAR if container.restart_policy is RestartPolicy.ALWAYS else Role.INIT


def policy_of(pod: Pod, container: Container) -> RestartPolicy:
    """The policy by which the container is restarted. An init container that has succeeded never is."""
    role = role_of(pod, container)
    if role is Role.EPHEMERAL:
        return RestartPolicy.NEVER
    policy = container.restart_policy or pod.restart_policy
    if role is Role.INIT and policy is RestartPolicy.ALWAYS:
        return RestartPolicy.ON_FAILURE
    return policy


def sidecars(pod: Pod) -> tuple[Container, ...]:
    """The sidecars, in the order in which they start."""
    return tuple(each for each in pod.init_containers if role_of(pod, each) is Role.SIDECAR)
