"""The caller's identity, which every request has, from REST and from inside the process."""

from __future__ import annotations

from dataclasses import dataclass, field

MASTERS = "system:masters"
NODES = "system:nodes"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"


@dataclass(frozen=True, slots=True)
class Caller:
    """A user and its groups. `uid` and `extra` are what else the credential says about the user, with sorted keys."""

    name: str
    groups: frozenset[str] = field(default_factory=frozenset)
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def manager(self) -> str:
        """The name of a component of the master in managedFields, such as `scheduler`."""
        return self.name.rpartition(":")[2]


ANONYMOUS = Caller("system:anonymous", frozenset({UNAUTHENTICATED}))


def component(name: str) -> Caller:
    """The identity of a component of the master, such as `system:scheduler`."""
    return Caller(f"system:{name}", frozenset({MASTERS, AUTHENTICATED}))
