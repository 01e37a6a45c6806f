"""Expired join tokens are deleted; all other secrets stay."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from master import kinds
from master.component.bootstraptoken import NAMESPACE, SECRET_TYPE
from master.controllers.tokencleaner import KEEP_S, PERIOD_S, TokenCleaner
from master.kinds.core.namespace import Namespace
from master.kinds.core.secret import Secret
from master.objects.meta import ObjectMeta, timestamp
from tests.fakes.clock import START
from tests.fakes.cluster import FakeCluster


def token(name: str, expiration: str | None, *, type_: str = SECRET_TYPE) -> Secret:
    data = {} if expiration is None else {"expiration": base64.b64encode(expiration.encode()).decode()}
    return Secret(metadata=ObjectMeta(name=f"bootstrap-token-{name}", namespace=NAMESPACE), type=type_, data=data)


@pytest.fixture
async def cluster() -> FakeCluster:
    made = await FakeCluster.make()
    await made.create(kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name=NAMESPACE)))
    return made


async def test_tokens_are_deleted_some_time_after_their_expiration(cluster: FakeCluster) -> None:
    end = timestamp(START + timedelta(hours=1))
    for secret in (token("short", end), token("long", timestamp(START + timedelta(days=1))), token("endless", None)):
        await cluster.create(kinds.SECRET, secret)
    await cluster.create(kinds.SECRET, token("other", end, type_="Opaque"))
    await cluster.create(kinds.SECRET, token("unreadable", "tomorrow"))

    def left() -> set[str]:
        return {secret.metadata.name.removeprefix("bootstrap-token-") for secret in cluster.cache.list(kinds.SECRET)}

    async with cluster.running(TokenCleaner(cluster.resources, cluster.clock)):
        await cluster.clock.advance(PERIOD_S)
        assert left() == {"short", "long", "endless", "other"}
        await cluster.clock.advance(3600)
        assert "short" in left(), "refused as expired for a while, not as unknown"
        await cluster.clock.advance(KEEP_S + PERIOD_S)
        assert left() == {"long", "endless", "other"}
