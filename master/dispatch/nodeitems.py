"""The items that only one node gets: its configuration, its pods, and the config maps and secrets that these reference.

Owns them and their size. The size is bounded, because an agent refuses a snapshot above contract.MAX_STATE_BYTES as a
whole: a pod that does not fit waits, and a config map that has grown too large is withheld. The other half of the
limit is for the items that all nodes get.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from master.dispatch.items import Key
from master.kinds.core.pod.model import Pod
from proto import contract

MAX_OWN_BYTES: Final = contract.MAX_STATE_BYTES // 2 - (1 << 20)
"""Largest size of one node's own items; the rest of a half is for the frames of messages."""

TOO_LARGE: Final = f"the node's pods with their config maps and secrets would have more than {MAX_OWN_BYTES >> 20} MiB"


@dataclass(slots=True)
class NodeItems:
    """One node's own items. Config maps and secrets are kept by the view; here are their keys and sizes."""

    config: bytes | None = None
    pods: dict[str, bytes] = field(default_factory=dict)
    older: dict[str, bytes] = field(default_factory=dict)
    """Pods that an older agent must not get as they are, in the form that it gets (withheld.py), by uid."""
    references: dict[Key, int] = field(default_factory=dict)
    """Config maps and secrets, with the number of the node's pods that reference them."""
    waiting: dict[str, Pod] = field(default_factory=dict)
    """Pods that do not fit, by uid."""
    withheld: set[Key] = field(default_factory=set)
    """References that do not fit."""
    _sizes: dict[Key, int] = field(default_factory=dict)
    _used_bytes: int = 0

    @property
    def empty(self) -> bool:
        """The node has nothing."""
        return self.config is None and not self.pods and not self.waiting

    def fits(self, more_bytes: int) -> bool:
        """Whether the items may grow by this."""
        return more_bytes <= 0 or self._used_bytes + more_bytes <= MAX_OWN_BYTES

    def set_pod(self, uid: str, item: bytes) -> None:
        self._used_bytes += len(item) - len(self.pods.get(uid, b""))
        self.pods[uid] = item

    def drop_pod(self, uid: str) -> None:
        self._used_bytes -= len(self.pods.pop(uid))
        self.older.pop(uid, None)

    def weigh(self, key: Key, size_bytes: int) -> bool:
        """Note the present size of a reference. Returns False, and withholds it, if it does not fit."""
        self._used_bytes -= self._sizes.pop(key, 0)
        if not self.fits(size_bytes):
            self.withheld.add(key)
            return False
        self.withheld.discard(key)
        self._sizes[key] = size_bytes
        self._used_bytes += size_bytes
        return True

    def drop_reference(self, key: Key) -> None:
        del self.references[key]
        self.withheld.discard(key)
        self._used_bytes -= self._sizes.pop(key, 0)
