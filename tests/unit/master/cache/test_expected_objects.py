"""The pipeline gives the cache each object that it writes: followers need not decode it."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from master.api.errors import AlreadyExists
from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds import POD
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import Pod, PodSpec
from master.objects.meta import ObjectMeta

WEB = Pod(
    metadata=ObjectMeta(name="web", namespace="default", labels={"a": "b"}),
    spec=PodSpec(containers=(Container(name="app", image="nginx"),)),
)


async def test_followers_get_the_written_object_without_decoding_it(resources: Resources, me: Caller) -> None:
    with resources.cache.subscribe(POD) as subscription:
        await resources.create(me, POD, WEB)
        await resources.mutate(
            me,
            POD,
            "default",
            "web",
            lambda old: replace(old, status=replace(old.status, phase="Running")),
            subresource="status",
        )
        for phase in ("Pending", "Running"):
            entry = (await subscription.next()).changes[0].entry
            assert entry.decoded is not None and entry.decoded.obj == POD.decode(entry.raw)
            assert entry.obj.status.phase == phase and entry.obj.metadata.resource_version == str(entry.revision)


async def test_an_object_whose_commit_failed_is_forgotten(resources: Resources, me: Caller) -> None:
    first = await asyncio.gather(*(resources.create(me, POD, WEB) for _ in range(3)), return_exceptions=True)
    assert sum(isinstance(each, AlreadyExists) for each in first) == 2
    assert not resources.cache._expected
