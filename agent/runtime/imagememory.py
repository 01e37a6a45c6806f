"""A cache of the images that an engine has; valid while its events are followed.

Saves a call to the engine at each start of a container. Owns the cache only; the caller asks the engine.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Image:
    """An image of the engine. `user`: as which its containers run, `USER[:GROUP]`; empty for root."""

    id: str
    user: str
    size_bytes: int = 0


class ImageMemory:
    """Image by reference. Empty while the engine's events are not followed."""

    def __init__(self) -> None:
        self._images: dict[str, Image] = {}
        self._watchers = 0
        self.changes = 0
        """How often the images have changed."""

    def get(self, image: str) -> Image | None:
        return self._images.get(image)

    def put(self, name: str, image: Image, *, asked_at: int) -> None:
        """`asked_at`: `changes` when the engine was asked. An answer that may be older than a change is not kept."""
        if self._watchers and asked_at == self.changes:
            self._images[name] = image

    def forget(self) -> None:
        """The engine's images have changed: empty the cache."""
        self.changes += 1
        self._images.clear()

    def watch(self) -> None:
        """An event stream has started."""
        self._watchers += 1
        self.forget()

    def unwatch(self) -> None:
        """An event stream has ended: changes would be missed from now on."""
        self._watchers -= 1
        if not self._watchers:
            self.forget()
