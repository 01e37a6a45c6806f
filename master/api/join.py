"""The interface between REST and joining. Implemented by master/dispatch."""

from __future__ import annotations

from typing import Protocol


class JoinAnswer(Protocol):
    """The answer to a machine that has joined."""

    @property
    def certificate(self) -> str: ...

    @property
    def ca(self) -> str: ...

    @property
    def cluster_id(self) -> str: ...

    @property
    def session_address(self) -> str: ...


class JoinProspect(Protocol):
    """The prospective result of a join: the cluster's networks, and whether the name and the address are taken."""

    @property
    def cluster_cidr(self) -> str: ...

    @property
    def service_cidr(self) -> str: ...

    @property
    def name_taken(self) -> str:
        """Why the name is not available; empty if it is."""
        ...

    @property
    def address_taken_by(self) -> str:
        """The name of the node that has the address; empty if no node has it."""
        ...


class JoinService(Protocol):
    """Joins a machine to the cluster as a node."""

    async def prospect(self, token: str, node_name: str, address: str, public_key: str) -> JoinProspect:
        """The result that `join` would have, without changing anything. Raises ApiError for an invalid token.

        `public_key`: the hash of the key of a join that was started earlier, or empty.
        """

    async def join(self, token: str, node_name: str, csr_pem: str) -> JoinAnswer:
        """Signs the request if the token is valid and the name is free. Raises ApiError otherwise."""
