"""The objects that every cluster has."""

from __future__ import annotations

from pathlib import Path

from master import bootstrap, kinds
from master.config import MasterConfig
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
