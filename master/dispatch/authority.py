"""The CAs that the nodes in the store trust, beside them in the store: `/meta/ca-hash`, hashes with a space between.

Owns the key. It tells a pki directory of another cluster, or one of before a rotation, from the store's own.
"""

from __future__ import annotations

from typing import Final

from master.pki import Pki
from master.store.interface import Compare, CompareFailed, Put, Store

KEY: Final = "/meta/ca-hash"


class OtherAuthority(Exception):
    """The store and the certificate authority beside it are of two clusters."""


async def check(store: Store, pki: Pki) -> None:
    """The nodes in the store trust these CAs: with another one none of them would come back. Raises OtherAuthority."""
    found = await store.get(KEY)
    if found is not None and pki.ca_hash not in found.value.decode().split():
        raise OtherAuthority(
            f"{pki.authority.certificate}: of another cluster than the store: its hash is {pki.ca_hash}, the store's "
            f"nodes trust {found.value.decode()}; restore the pki directory or the store, whichever is the wrong one"
        )
    await record(store, pki)


async def record(store: Store, pki: Pki) -> None:
    """After each step of a rotation, and at each start, as the one before may have been cut short."""
    wanted = " ".join(pki.ca_hashes).encode()
    while True:
        found = await store.get(KEY)
        if found is not None and found.value == wanted:
            return
        try:
            await store.commit([Compare(KEY, found.mod_revision if found else 0)], [Put(KEY, wanted)])
        except CompareFailed:
            continue
        return
