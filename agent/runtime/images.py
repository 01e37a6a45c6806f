"""Images of an engine: a Protocol of the calls, and the credentials of registries."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol

from agent.runtime.accounts import Accounts


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user of a registry. `source`: where they come from, for messages; repr() leaves the password out."""

    username: str
    password: str = field(repr=False)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image that was pulled. `took_s`: how long, in seconds, without waiting for other pulls."""

    id: str
    size_bytes: int
    took_s: float


class Images(Protocol):
    """Images. Calls raise RuntimeFault only (errors.py)."""

    async def id_of(self, image: str) -> str | None:
        """The image's id if the engine has it. May be answered from a cache that image events empty."""
        ...

    async def has(self, image_id: str) -> bool:
        """Whether the engine has the image with this id, under whatever name."""
        ...

    async def user_of(self, image: str) -> str:
        """The image's USER, as `USER[:GROUP]`; empty without one. Cached like the id. Raises ImageNotFound."""
        ...

    async def accounts_of(self, image: str) -> Accounts:
        """The users and groups that the image declares. Raises ImageNotFound."""
        ...

    def export(self, image_id: str) -> AsyncGenerator[bytes, None]:
        """The files of the image with this id as a tar archive, in pieces. Raises ImageNotFound."""
        ...

    async def pull(self, image: str, credentials: Credentials | None = None) -> Pulled:
        """Pull the image. Without credentials: with those of the engine's host, if it has any.

        Raises ImageNotFound, InvalidImageName, PullFailed.
        """
        ...

    async def has_own_credentials(self, image: str) -> bool:
        """Whether the engine's host has credentials for the image's registry. Raises InvalidImageName, PullFailed."""
        ...

    async def load(self, archive: bytes) -> None:
        """Load the images of an archive in the format of `docker save`."""
        ...
