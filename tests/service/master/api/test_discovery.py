"""What a client learns from the server about itself: discovery in all its forms, the version, and its health."""

from __future__ import annotations

from typing import Any

import pytest

from master.objects.meta import Object
from master.registry.resource import Resource, Version
from master.schema.schema import Typed
from master.store.memory import MemoryStore
from tests.masters import Client

V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
V2BETA1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"


class Gadget(Object, frozen=True, kw_only=True):
    """A kind of this test."""


def gadgets() -> Resource[Gadget]:
    schema = Typed(Gadget)
    further = tuple(Version(name, schema) for name in ("v1alpha1", "v2", "v1beta2", "v10beta1"))
    return Resource("Gadget", "gadgets", schema, group="example.org", served=further, short_names=("gd",))


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        ("application/json", ""),
        ("", ""),
        ("*/*", ""),
        (f"{V2},{V2BETA1},application/json", "v2"),
        (f"{V2BETA1},application/json", "v2beta1"),
        (f"application/json;q=0.5,{V2}", "v2"),
        (f"application/json,{V2}", ""),
        ("application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList,application/json", ""),
        ("application/json;g=example.org;v=v2;as=APIGroupDiscoveryList", ""),
        (f"application/vnd.kubernetes.protobuf,{V2BETA1},{V2}", "v2beta1"),
    ],
)
@pytest.mark.parametrize("path", ["/api", "/apis"])
async def test_the_form_of_discovery_is_the_one_asked_for(api: Client, path: str, accept: str, version: str) -> None:
    reply = await api("GET", path, headers={"Accept": accept})
    assert reply.status == 200 and reply.headers["Vary"] == "Accept"
    if not version:
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.json["kind"] == {"/api": "APIVersions", "/apis": "APIGroupList"}[path]
        return
    media = dict(part.partition("=")[::2] for part in reply.headers["Content-Type"].split(";"))
    expected = {"application/json": "", "g": "apidiscovery.k8s.io", "v": version, "as": "APIGroupDiscoveryList"}
    assert media == expected
    assert reply.json["apiVersion"] == f"apidiscovery.k8s.io/{version}"


def flattened(document: Any) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """What aggregated discovery says of each resource and subresource."""
    found: dict[tuple[str, str, str], tuple[Any, ...]] = {}
    for group in document["items"]:
        for version in group["versions"]:
            at = group["metadata"].get("name", ""), version["version"]
            assert version["freshness"] == "Current"
            for item in version["resources"]:
                scope = item["scope"] == "Namespaced"
                named = item["singularResource"], item.get("shortNames"), item.get("categories")
                found[(*at, item["resource"])] = (item["responseKind"], scope, item["verbs"], *named)
                for part in item.get("subresources", ()):
                    name = f"{item['resource']}/{part['subresource']}"
                    found[(*at, name)] = (part["responseKind"], scope, part["verbs"], "", None, None)
    return found


async def listed(api: Client) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """The same by the older documents, one for each version of each group."""
    versions = [("", version) for version in (await api("GET", "/api")).json["versions"]]
    for group in (await api("GET", "/apis")).json["groups"]:
        versions += [(group["name"], version["version"]) for version in group["versions"]]
    found: dict[tuple[str, str, str], tuple[Any, ...]] = {}
    for group, version in versions:
        document = (await api("GET", f"/apis/{group}/{version}" if group else f"/api/{version}")).json
        for item in document["resources"]:
            kind = {"group": item.get("group", group), "version": item.get("version", version), "kind": item["kind"]}
            named = item["singularName"], item.get("shortNames"), item.get("categories")
            found[group, version, item["name"]] = (kind, item["namespaced"], item["verbs"], *named)
    return found


async def test_both_forms_of_discovery_say_the_same(api: Client) -> None:
    aggregated: dict[tuple[str, str, str], tuple[Any, ...]] = {}
    for path in ("/api", "/apis"):
        aggregated |= flattened((await api("GET", path, headers={"Accept": V2})).json)
    assert aggregated == await listed(api)
    pods = aggregated["", "v1", "pods"]
    assert pods[0] == {"group": "", "version": "v1", "kind": "Pod"} and pods[4] == ["po"]
    assert aggregated["", "v1", "replicationcontrollers/scale"][0]["group"] == "autoscaling"


async def test_a_resource_that_comes_at_run_time_is_discovered_with_its_versions_in_order(api: Client) -> None:
    before = (await api("GET", "/apis", headers={"Accept": V2})).headers["ETag"]
    api.resources.registry.add(gadgets())
    reply = await api("GET", "/apis", headers={"Accept": V2, "If-None-Match": before})
    assert reply.status == 200 and reply.headers["ETag"] != before
    (group,) = (item for item in reply.json["items"] if item["metadata"]["name"] == "example.org")
    order = ["v2", "v1", "v10beta1", "v1beta2", "v1alpha1"]
    assert [version["version"] for version in group["versions"]] == order
    plain = (await api("GET", "/apis/example.org")).json
    assert plain["preferredVersion"] == {"groupVersion": "example.org/v2", "version": "v2"}
    api.resources.registry.remove(api.resources.registry.named("gadgets.example.org"))  # type: ignore[arg-type]
    assert (await api("GET", "/apis", headers={"Accept": V2})).headers["ETag"] == before
    assert (await api("GET", "/apis/example.org")).status == (await api("GET", "/apis/example.org/v2")).status == 404


@pytest.mark.parametrize("path", ["/api", "/apis", "/api/v1", "/apis/discovery.k8s.io/v1", "/version"])
@pytest.mark.parametrize("accept", ["application/json", V2])
async def test_a_client_that_has_the_document_gets_only_the_news_of_it(api: Client, path: str, accept: str) -> None:
    first = await api("GET", path, headers={"Accept": accept})
    tag = first.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = await api("GET", path, headers={"Accept": accept, "If-None-Match": known})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    other = await api("GET", path, headers={"Accept": accept, "If-None-Match": '"other"'})
    assert (other.status, other.body) == (200, first.body)


async def test_the_hash_of_the_stored_version_is_the_one_of_kubernetes(api: Client) -> None:
    hashes = {item["name"]: item.get("storageVersionHash") for item in (await api("GET", "/api/v1")).json["resources"]}
    # Every cluster whose pods are stored as v1 shows this value.
    assert hashes["pods"] == "xPOwRZ+Yhw8=" and hashes["pods/status"] is None


async def test_the_version_is_that_of_the_api(api: Client) -> None:
    version = (await api("GET", "/version")).json
    assert (version["major"], version["minor"]) == ("1", "37")
    assert version["gitVersion"].startswith("v1.37.0+sampan-")


async def test_every_path_of_the_list_exists(api: Client) -> None:
    paths = (await api("GET", "/")).json["paths"]
    assert {"/api/v1", "/apis/discovery.k8s.io", "/apis/discovery.k8s.io/v1", "/readyz/store"} <= set(paths)
    for path in paths:
        assert (await api("GET", path)).status == 200, path


async def test_each_check_of_health_has_a_line(api: Client) -> None:
    assert (await api("GET", "/livez?verbose")).body == b"[+]ping ok\nlivez check passed\n"
    verbose = (await api("GET", "/readyz?verbose&exclude=store&exclude=etcd")).body.decode().splitlines()
    assert verbose[:3] == ["[+]ping ok", "[+]serving ok", "[+]store excluded: ok"]
    assert verbose[3:] == [
        'warn: some health checks cannot be excluded: no matches for "etcd"',
        "readyz check passed",
    ]
    assert (await api("GET", "/readyz/store")).body == b"ok"
    assert (await api("GET", "/readyz/nothing")).status == (await api("GET", "/livez/store")).status == 404
    assert (await api("GET", "/readyz/store", context=api.anonymous)).status == 401


async def test_a_check_that_fails_is_named_and_may_be_excluded(api: Client) -> None:
    store = api.resources.store
    assert isinstance(store, MemoryStore)
    store.fail = True
    await api("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "c"}})
    failed = await api("GET", "/readyz")
    assert failed.status == 503
    assert b"[+]ping ok\n" in failed.body and b"[-]store failed: the store cannot be written" in failed.body
    assert failed.body.endswith(b"readyz check failed\n")
    assert (await api("GET", "/readyz/store")).status == 503
    assert (await api("GET", "/readyz?exclude=store")).status == (await api("GET", "/readyz/ping")).status == 200
