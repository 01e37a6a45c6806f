"""Sidecars: init containers that go on running beside the containers (restartPolicy Always)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar


class _Container(Protocol):
    @property
    def restart_policy(self) -> str | None: ...


C_co = TypeVar("C_co", bound=_Container, covariant=True)


class _Spec(Protocol[C_co]):
    @property
    def init_containers(self) -> Sequence[C_co]: ...
    @property
    def containers(self) -> Sequence[C_co]: ...


def is_sidecar(init_container: _Container) -> bool:
    """Whether an init container is a sidecar."""
    return init_container.restart_policy == "Always"


def lasting(spec: _Spec[C_co]) -> Iterator[C_co]:
    """The containers of a pod and its sidecars: they run at the same time, and have ports."""
    yield from spec.containers
    yield from filter(is_sidecar, spec.init_containers)
