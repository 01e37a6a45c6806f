"""The identity of a deleted node is retired, so that its agent learns that it must clean up."""

from __future__ import annotations

import json

from master.api.pipeline.admission import Admission
from master.api.pipeline.attempt import Attempt
from master.api.pipeline.pipeline import unavailable
from master.kinds import NODE
from master.store.interface import Compare, Put, StoreUnavailable


class NodeIdentity(Admission):
    """Marks the identity of a node as removed in the commit that removes the node."""

    resources = (NODE,)

    async def validate(self, attempt: Attempt) -> None:
        """Raises Unavailable."""
        if attempt.new is not None:
            return
        key = f"/identity/node/{attempt.request.name}"
        try:
            identity = await attempt.store.get(key)
        except StoreUnavailable as error:
            raise unavailable(error) from error
        if identity is None:
            return
        value = json.loads(identity.value)
        value["state"] = "removed"
        attempt.compares.append(Compare(key, identity.mod_revision))
        attempt.writes.append(Put(key, json.dumps(value).encode()))
