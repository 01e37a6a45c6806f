"""The door to joining: what REST needs of it. Implemented by master/dispatch."""

from __future__ import annotations

from typing import Protocol


class JoinAnswer(Protocol):
    """What a machine gets that has joined."""

    @property
    def certificate(self) -> str: ...

    @property
    def ca(self) -> str: ...

    @property
    def cluster_id(self) -> str: ...

    @property
    def session_address(self) -> str: ...


class JoinProspect(Protocol):
    """What would become of a join: the cluster's networks, and who has the name or the address already."""

    @property
    def cluster_cidr(self) -> str: ...

    @property
    def service_cidr(self) -> str: ...

    @property
    def name_taken(self) -> str:
        """Why the name cannot be had; empty when it can."""
        ...

    @property
    def address_taken_by(self) -> str:
        """Name of the node that has the address; empty: none."""
        ...


class JoinService(Protocol):
    """Makes a machine a node."""

    async def prospect(self, token: str, node_name: str, address: str, public_key: str) -> JoinProspect:
        """What `join` would say, with nothing changed; ApiError for a token that is not good.

        `public_key`: hash of the key of a join that was begun before, or empty.
        """

    async def join(self, token: str, node_name: str, csr_pem: str) -> JoinAnswer:
        """Signs the request when the token is good and the name free; ApiError otherwise."""
