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


class JoinService(Protocol):
    """Makes a machine a node."""

    async def join(self, token: str, node_name: str, csr_pem: str) -> JoinAnswer:
        """Signs the request when the token is good and the name free; ApiError otherwise."""
