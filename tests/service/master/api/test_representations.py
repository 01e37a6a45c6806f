"""The forms of a response: whole objects, only their metadata, or tables; large ones compressed."""

from __future__ import annotations

import gzip
import json
from typing import Any

import aiohttp
import pytest

from tests.masters import Client

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"


def metadata_only(kind: str, version: str = "v1") -> dict[str, str]:
    return {"Accept": f"application/json;as={kind};g=meta.k8s.io;v={version}"}


ONE, LIST = metadata_only("PartialObjectMetadata"), metadata_only("PartialObjectMetadataList")
TABLE = {"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}


def config(name: str, size: int = 1) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"size": str(size)}}, "data": {"text": "x" * size}}


@pytest.mark.parametrize("path", [CONFIGMAPS, CLASSES])
async def test_one_object_can_be_read_without_all_but_its_metadata(api: Client, path: str) -> None:
    made = await api("POST", path, {"metadata": {"name": "a"}}, headers=ONE)
    whole = (await api("GET", f"{path}/a")).json
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": whole["metadata"]}
    assert made.status == 201 and made.json == partial
    assert (await api("GET", f"{path}/a", headers=ONE)).json == partial
    beta = await api("GET", f"{path}/a", headers=metadata_only("PartialObjectMetadata", "v1beta1"))
    assert beta.json == {**partial, "apiVersion": "meta.k8s.io/v1beta1"}


async def test_a_list_has_the_metadata_of_its_objects_in_pages_too(api: Client) -> None:
    for name in ("a", "b", "c"):
        await api("POST", CONFIGMAPS, config(name))
    whole = (await api("GET", CONFIGMAPS)).json
    listed = (await api("GET", CONFIGMAPS, headers=LIST)).json
    assert (listed["kind"], listed["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert listed["metadata"] == whole["metadata"]
    assert [item["metadata"] for item in listed["items"]] == [item["metadata"] for item in whole["items"]]
    assert {frozenset(item) for item in listed["items"]} == {frozenset(("kind", "apiVersion", "metadata"))}
    page = (await api("GET", f"{CONFIGMAPS}?limit=2", headers=LIST)).json
    rest = (await api("GET", f"{CONFIGMAPS}?limit=2&continue={page['metadata']['continue']}", headers=LIST)).json
    assert page["items"] + rest["items"] == listed["items"]


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        (CONFIGMAPS, ONE),
        (f"{CONFIGMAPS}/a", LIST),
        (f"{CONFIGMAPS}/a", metadata_only("PartialObjectMetadata", "v2")),
        (f"{CONFIGMAPS}/a", metadata_only("Other")),
        (f"{CONFIGMAPS}/a", {"Accept": "application/json;as=Table;g=example.org;v=v1"}),
        (f"{CONFIGMAPS}?watch=true", LIST),
        (CONFIGMAPS, {"Accept": "application/vnd.kubernetes.protobuf"}),
    ],
)
async def test_a_form_that_does_not_exist_is_not_acceptable(api: Client, path: str, accept: dict[str, str]) -> None:
    await api("POST", CONFIGMAPS, config("a"))
    refused = await api("GET", path, headers=accept)
    assert (refused.status, refused.json["reason"]) == (406, "NotAcceptable")
    assert (await api("GET", path.partition("?")[0], headers={"Accept": f"{accept['Accept']},*/*"})).status == 200


async def events(api: Client, query: str, accept: dict[str, str], number: int) -> list[Any]:
    """The first events of a watch."""
    found: list[Any] = []
    url = f"https://127.0.0.1:{api.port}{CONFIGMAPS}?watch=true&{query}"
    async with aiohttp.ClientSession() as session, session.get(url, headers=accept, ssl=api.context) as answer:
        assert answer.status == 200 and "Content-Encoding" not in answer.headers
        async for line in answer.content:
            found.append(json.loads(line))
            if len(found) == number:
                break
        answer.close()
    return found


async def test_a_watch_of_metadata_has_events_and_bookmarks_of_that_kind(api: Client) -> None:
    made = (await api("POST", CONFIGMAPS, config("a"))).json["metadata"]
    since = made["resourceVersion"]
    await api("DELETE", f"{CONFIGMAPS}/a")
    (deleted,) = await events(api, f"resourceVersion={since}", ONE, 1)
    assert deleted["type"] == "DELETED" and deleted["object"].keys() == {"kind", "apiVersion", "metadata"}
    assert deleted["object"]["metadata"]["uid"] == made["uid"]
    await api("POST", CONFIGMAPS, config("b"))
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    *added, bookmark = await events(api, query, ONE, 2)
    assert [event["object"]["metadata"]["name"] for event in added] == ["b"]
    assert {event["object"]["kind"] for event in (*added, bookmark)} == {"PartialObjectMetadata"}
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["apiVersion"] == "meta.k8s.io/v1"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


@pytest.mark.parametrize("include", ["None", "Metadata", "Object", ""])
async def test_a_row_of_a_table_has_what_the_client_wants_of_the_object(api: Client, include: str) -> None:
    await api("POST", CONFIGMAPS, config("a"))
    whole = (await api("GET", f"{CONFIGMAPS}/a")).json
    (row,) = (await api("GET", f"{CONFIGMAPS}?includeObject={include}", headers=TABLE)).json["rows"]
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": whole["metadata"]}
    assert row.get("object") == {"None": None, "Object": whole}.get(include, partial)


async def raw(api: Client, path: str, encoding: str, accept: str = "") -> tuple[Any, bytes]:
    """The headers and the bytes of a response, which are not decompressed."""
    headers = {"Accept-Encoding": encoding, "Accept": accept}
    url = f"https://127.0.0.1:{api.port}{path}"
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(url, headers=headers, ssl=api.context) as answer,
    ):
        return answer.headers, await answer.read()


@pytest.mark.parametrize(
    ("number", "size", "query", "compressed"),
    [
        pytest.param(1, 100_000, "/a0", False, id="a small object"),
        pytest.param(1, 140_000, "/a0", True, id="a large object"),
        pytest.param(2, 50_000, "", False, id="a small list"),
        pytest.param(2, 70_000, "", True, id="a list"),
        pytest.param(4, 150_000, "", True, id="a streamed list"),
        pytest.param(4, 150_000, "?limit=1", True, id="a page"),
    ],
)
async def test_large_responses_are_compressed(
    api: Client, number: int, size: int, query: str, compressed: bool
) -> None:
    for index in range(number):
        await api("POST", CONFIGMAPS, config(f"a{index}", size))
    headers, body = await raw(api, CONFIGMAPS + query, "gzip, deflate")
    plain_headers, plain = await raw(api, CONFIGMAPS + query, "identity")
    assert ("Content-Encoding" in headers, "Content-Encoding" in plain_headers) == (compressed, False)
    assert (gzip.decompress(body) if compressed else body) == plain
    if compressed:
        assert headers["Content-Encoding"] == "gzip" and headers["Vary"] == "Accept-Encoding"
        assert len(body) < len(plain) / 10
        refused, same = await raw(api, CONFIGMAPS + query, "gzip;q=0, identity")
        assert "Content-Encoding" not in refused and same == plain


async def test_a_streamed_table_is_compressed(api: Client) -> None:
    for index in range(610):
        await api("POST", CONFIGMAPS, config(f"a{index}"))
    headers, body = await raw(api, CONFIGMAPS, "gzip", TABLE["Accept"])
    _, plain = await raw(api, CONFIGMAPS, "identity", TABLE["Accept"])
    assert headers["Content-Encoding"] == "gzip" and gzip.decompress(body) == plain
    assert len(json.loads(plain)["rows"]) == 610
    few, _ = await raw(api, f"{CONFIGMAPS}?includeObject=None", "gzip", TABLE["Accept"])
    assert "Content-Encoding" not in few, "the rows without objects are small"
