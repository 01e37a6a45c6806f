"""Each namespace has a service account `default` and a config map with the CA's certificate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from master import kinds
from master.api.identity import component
from master.controllers.accounts import AccountsController
from master.controllers.rootca import RootCaPublisher
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.namespace import Namespace
from master.objects.meta import ObjectMeta
from tests.fakes.cluster import FakeCluster

ME = component("test")


class Ca:
    pem = b"first"


@pytest.fixture
def ca() -> Ca:
    return Ca()


@pytest.fixture
async def cluster(ca: Ca) -> AsyncIterator[FakeCluster]:
    made = await FakeCluster.make()
    async with AsyncExitStack() as stack:
        for controller in (
            AccountsController(made.resources, made.clock),
            RootCaPublisher(made.resources, made.clock, lambda: ca.pem),
        ):
            await stack.enter_async_context(made.running(controller))
        await made.create(kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="shop")))
        await made.clock.advance(0)
        yield made


def certificate(cluster: FakeCluster) -> dict[str, str]:
    found = cluster.cache.get(kinds.CONFIGMAP, "shop", "kube-root-ca.crt")
    assert found is not None
    return found.data


async def test_a_new_namespace_gets_both(cluster: FakeCluster) -> None:
    assert cluster.cache.get(kinds.SERVICEACCOUNT, "shop", "default") is not None
    assert certificate(cluster) == {"ca.crt": "first"}


async def test_both_come_back(cluster: FakeCluster) -> None:
    await cluster.resources.delete(ME, kinds.SERVICEACCOUNT, "shop", "default")
    await cluster.resources.delete(ME, kinds.CONFIGMAP, "shop", "kube-root-ca.crt")
    await cluster.clock.advance(0)
    assert cluster.cache.get(kinds.SERVICEACCOUNT, "shop", "default") is not None
    assert certificate(cluster) == {"ca.crt": "first"}


async def test_a_changed_certificate_is_restored(cluster: FakeCluster) -> None:
    def spoiled(current: ConfigMap) -> ConfigMap:
        return ConfigMap(metadata=current.metadata, data={"ca.crt": "mine"})

    await cluster.resources.mutate(ME, kinds.CONFIGMAP, "shop", "kube-root-ca.crt", spoiled)
    await cluster.clock.advance(0)
    assert certificate(cluster) == {"ca.crt": "first"}


async def test_a_new_ca_is_published_within_a_minute(cluster: FakeCluster, ca: Ca) -> None:
    ca.pem = b"firstsecond"
    await cluster.clock.advance(60)
    assert certificate(cluster) == {"ca.crt": "firstsecond"}


async def test_a_namespace_that_is_being_deleted_gets_nothing_back(cluster: FakeCluster) -> None:
    await cluster.resources.delete(ME, kinds.NAMESPACE, "", "shop")
    await cluster.resources.delete(ME, kinds.SERVICEACCOUNT, "shop", "default")
    await cluster.resources.delete(ME, kinds.CONFIGMAP, "shop", "kube-root-ca.crt")
    await cluster.clock.advance(60)
    assert cluster.cache.get(kinds.SERVICEACCOUNT, "shop", "default") is None
    assert cluster.cache.get(kinds.CONFIGMAP, "shop", "kube-root-ca.crt") is None
