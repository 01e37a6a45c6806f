"""The objects that every cluster has."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from master import bootstrap, kinds
from master.api.identity import component
from master.config import MasterConfig
from master.kinds.core.namespace import Namespace
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.objects.meta import ObjectMeta
from tests.fakes.cluster import FakeCluster


async def test_a_cluster_begins_with_its_namespaces_its_service_and_its_range(tmp_path: Path) -> None:
    cluster = await FakeCluster.make()
    versions = set()
    for _ in range(2):
        await bootstrap.ensure(cluster.resources, MasterConfig(data_dir=tmp_path, service_cidr="10.96.0.0/16"))
        assert {each.metadata.name for each in cluster.cache.list(kinds.NAMESPACE)} >= {*bootstrap.SYSTEM_NAMESPACES}
        service = cluster.cache.get(kinds.SERVICE, "default", "kubernetes")
        assert service is not None and service.spec.cluster_ip == "10.96.0.1"
        stored = cluster.cache.get(kinds.SERVICECIDR, "", "kubernetes")
        assert stored is not None and stored.spec == {"cidrs": ["10.96.0.0/16"]}
        [condition] = stored.status["conditions"]
        assert (condition["type"], condition["status"]) == ("Ready", "True")
        versions.add(stored.metadata.resource_version)
    assert len(versions) == 1, "the next start changes nothing"


async def test_a_cluster_has_a_service_for_dns_that_people_may_change(tmp_path: Path) -> None:
    cluster = await FakeCluster.make()
    config = MasterConfig(data_dir=tmp_path, service_cidr="10.96.0.0/16")
    await bootstrap.ensure(cluster.resources, config)
    service = cluster.cache.get(kinds.SERVICE, "kube-system", "kube-dns")
    assert service is not None and service.spec.cluster_ip == "10.96.0.10" and not service.spec.selector
    assert [(port.name, port.protocol, port.port) for port in service.spec.ports] == [
        ("dns", "UDP", 53),
        ("dns-tcp", "TCP", 53),
    ]
    changed = replace(service, spec=replace(service.spec, selector={"k8s-app": "kube-dns"}))
    await cluster.resources.update(component("test"), kinds.SERVICE, changed)
    await bootstrap.ensure(cluster.resources, config)
    kept = cluster.cache.get(kinds.SERVICE, "kube-system", "kube-dns")
    assert kept is not None and kept.spec.selector == {"k8s-app": "kube-dns"}


async def test_a_cluster_whose_address_of_dns_is_taken_goes_on_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = await FakeCluster.make()
    old = Service(
        metadata=ObjectMeta(name="old", namespace="default"),
        spec=ServiceSpec(cluster_ip="10.96.0.10", ports=(ServicePort(port=80),)),
    )
    for name in bootstrap.SYSTEM_NAMESPACES:
        await bootstrap._ensure(cluster.resources, kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name=name)))
    await cluster.resources.create(component("test"), kinds.SERVICE, old, namespace="default")
    await bootstrap.ensure(cluster.resources, MasterConfig(data_dir=tmp_path, service_cidr="10.96.0.0/16"))
    assert cluster.cache.get(kinds.SERVICE, "kube-system", "kube-dns") is None
    assert cluster.cache.get(kinds.SERVICECIDR, "", "kubernetes") is not None
    assert "service kube-system/kube-dns: pods have no cluster DNS" in caplog.text
