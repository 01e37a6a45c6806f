"""What Prometheus reads of a server."""

from __future__ import annotations

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from tests.masters import Client

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
Sample = tuple[str, frozenset[tuple[str, str]]]


async def samples(api: Client) -> dict[Sample, float]:
    """All samples by name and labels."""
    reply = await api("GET", "/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(reply.body.decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def configmaps(name: str, verb: str, scope: str, **labels: str) -> Sample:
    fixed = {"group": "", "version": "v1", "resource": "configmaps", "subresource": "", "component": "apiserver"}
    return name, frozenset({**fixed, "verb": verb, "scope": scope, **labels}.items())


async def test_requests_are_counted_by_verb_resource_and_code(api: Client) -> None:
    await api("POST", CONFIGMAPS, {"metadata": {"name": "a"}})
    for name in ("a", "a", "missing"):
        await api("GET", f"{CONFIGMAPS}/{name}")
    await api("GET", "/api/v1/configmaps")
    await api("DELETE", CONFIGMAPS)
    found = await samples(api)
    total = "apiserver_request_total"
    assert found[configmaps(total, "POST", "namespace", code="201")] == 1
    assert found[configmaps(total, "GET", "resource", code="200")] == 2
    assert found[configmaps(total, "GET", "resource", code="404")] == 1
    assert found[configmaps(total, "LIST", "cluster", code="200")] == 1
    assert found[configmaps(total, "DELETECOLLECTION", "namespace", code="200")] == 1
    took = "apiserver_request_duration_seconds"
    assert found[configmaps(f"{took}_count", "GET", "resource")] == 3
    buckets = [
        found[configmaps(f"{took}_bucket", "GET", "resource", le=bound)] for bound in ("0.001", "0.1", "60.0", "+Inf")
    ]
    assert buckets == sorted(buckets) and buckets[-1] == 3
    assert 0 < found[configmaps(f"{took}_sum", "GET", "resource")] < 60


async def test_an_open_watch_is_counted_until_it_ends(api: Client) -> None:
    gauge = configmaps("apiserver_longrunning_requests", "WATCH", "namespace")
    watch = asyncio.create_task(api.watch(f"{CONFIGMAPS}?watch=true", lambda events: False))
    async with asyncio.timeout(10):
        while (await samples(api)).get(gauge) != 1:
            continue
        watch.cancel()
        while (found := await samples(api))[gauge] != 0:
            continue
    assert found[configmaps("apiserver_request_total", "WATCH", "namespace", code="200")] == 1
    assert configmaps("apiserver_request_duration_seconds_count", "WATCH", "namespace") not in found


async def test_objects_commits_and_the_process_are_measured(api: Client) -> None:
    before = await samples(api)
    await api("POST", CONFIGMAPS, {"metadata": {"name": "a"}})
    after = await samples(api)
    count = "apiserver_resource_objects", frozenset({("group", ""), ("resource", "configmaps")})
    assert after[count] - before[count] == 1
    commits = "sampan_store_commits_total", frozenset[tuple[str, str]]()
    assert after[commits] - before[commits] == 1
    assert after["process_resident_memory_bytes", frozenset()] > 1 << 20


async def test_only_a_known_caller_reads_metrics(api: Client) -> None:
    assert (await api("GET", "/metrics", context=api.anonymous)).status == 401
