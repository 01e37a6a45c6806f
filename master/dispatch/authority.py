"""The store's record of the CAs that its nodes trust: `/meta/ca-hash`, their hashes separated by a space.

Owns that key. It detects a pki directory of another cluster, or one from before a rotation.
"""

from __future__ import annotations

from typing import Final

from master.pki import Pki
from master.store.interface import Compare, CompareFailed, Put, Store

KEY: Final = "/meta/ca-hash"


class OtherAuthority(Exception):
    """The store and the pki directory belong to different clusters."""


async def check(store: Store, pki: Pki) -> None:
    """Raises OtherAuthority when the store's nodes do not trust our CA: none of them could reconnect."""
    recorded = await store.get(KEY)
    if recorded is not None and pki.ca_hash not in recorded.value.decode().split():
        raise OtherAuthority(
            f"{pki.authority.certificate}: belongs to another cluster than the store: its hash is {pki.ca_hash}, the "
            f"store's nodes trust {recorded.value.decode()}; restore the pki directory or the store, whichever is wrong"
        )
    await record(store, pki)


async def record(store: Store, pki: Pki) -> None:
    """Writes the current CAs: after each step of a rotation, and at each start, as the last step may be missing."""
    desired = " ".join(pki.ca_hashes).encode()
    while True:
        recorded = await store.get(KEY)
        if recorded is not None and recorded.value == desired:
            return
        try:
            await store.commit([Compare(KEY, recorded.mod_revision if recorded else 0)], [Put(KEY, desired)])
        except CompareFailed:
            continue
        return
