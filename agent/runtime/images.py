"""Which images an engine has, remembered while its event stream vouches for it.

Owns the memory only; the engine is asked by the caller. Asking whether an image is there costs a call at each start
of a container otherwise.
"""

from __future__ import annotations


class ImageMemory:
    """Image reference → id. Holds nothing while nobody watches the engine's events."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._watchers = 0

    def get(self, image: str) -> str | None:
        return self._ids.get(image)

    def put(self, image: str, image_id: str) -> None:
        if self._watchers:
            self._ids[image] = image_id

    def forget(self) -> None:
        """Something about images changed."""
        self._ids.clear()

    def watch(self) -> None:
        """An event stream began."""
        self._watchers += 1
        self.forget()

    def unwatch(self) -> None:
        """An event stream ended: what changes now goes unseen."""
        self._watchers -= 1
        if not self._watchers:
            self.forget()
