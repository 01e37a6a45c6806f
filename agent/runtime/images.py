"""A cache of the images that an engine has; valid while its events are followed.

Saves a call to the engine at each start of a container. Owns the cache only; the caller asks the engine.
"""

from __future__ import annotations


class ImageMemory:
    """Image reference → id. Empty while the engine's events are not followed."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._watchers = 0

    def get(self, image: str) -> str | None:
        return self._ids.get(image)

    def put(self, image: str, image_id: str) -> None:
        if self._watchers:
            self._ids[image] = image_id

    def forget(self) -> None:
        """The engine's images have changed: empty the cache."""
        self._ids.clear()

    def watch(self) -> None:
        """An event stream has started."""
        self._watchers += 1
        self.forget()

    def unwatch(self) -> None:
        """An event stream has ended: changes would be missed from now on."""
        self._watchers -= 1
        if not self._watchers:
            self.forget()
