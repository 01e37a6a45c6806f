"""Writes the EndpointSlices of a plan."""

from __future__ import annotations

import contextlib

from master.api.errors import NotFound
from master.api.identity import Caller
from master.api.resources import Resources
from master.controllers.slices import Plan
from master.kinds import ENDPOINTSLICE


async def carry_out(resources: Resources, caller: Caller, namespace: str, plan: Plan) -> None:
    """Creates, updates and deletes the slices. A slice that is gone already counts as deleted. Raises ApiError."""
    for endpoint_slice in plan.create:
        await resources.create(caller, ENDPOINTSLICE, endpoint_slice, namespace=namespace)
    for endpoint_slice in plan.update:
        await resources.update(caller, ENDPOINTSLICE, endpoint_slice)
    for endpoint_slice in plan.delete:
        meta = endpoint_slice.metadata
        with contextlib.suppress(NotFound):
            await resources.delete(caller, ENDPOINTSLICE, namespace, meta.name, uid=meta.uid)
