"""Lists in pages: consistent at the revision of the first page, also as tables; expired tokens; exact versions."""

from __future__ import annotations

from typing import Any

from master.cache import snapshots
from tests.masters import Client
from tests.service.master.api.test_api_rest import CONFIGMAPS, TABLE


async def fill(api: Client, count: int) -> None:
    for index in range(count):
        reply = await api(
            "POST", CONFIGMAPS, {"metadata": {"name": f"c{index}", "labels": {"even": str(index % 2 == 0)}}}
        )
        assert reply.status == 201


def names(page: Any) -> list[str]:
    return [item["metadata"]["name"] for item in page["items"]]


async def test_the_pages_of_a_list_are_of_one_revision(api: Client) -> None:
    await fill(api, 5)
    first = (await api("GET", f"{CONFIGMAPS}?limit=2")).json
    assert names(first) == ["c0", "c1"]
    assert first["metadata"]["remainingItemCount"] == 3
    await api("DELETE", f"{CONFIGMAPS}/c3")
    await api("POST", CONFIGMAPS, {"metadata": {"name": "c2a"}})
    second = (await api("GET", f"{CONFIGMAPS}?limit=2&continue={first['metadata']['continue']}")).json
    third = (await api("GET", f"{CONFIGMAPS}?limit=2&continue={second['metadata']['continue']}")).json
    assert names(second) + names(third) == ["c2", "c3", "c4"]
    assert second["metadata"]["resourceVersion"] == third["metadata"]["resourceVersion"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "continue" not in third["metadata"]


async def test_the_pages_of_a_selection_do_not_count_the_remaining_items(api: Client) -> None:
    await fill(api, 6)
    first = (await api("GET", f"{CONFIGMAPS}?limit=2&labelSelector=even%3DTrue")).json
    assert names(first) == ["c0", "c2"]
    assert "remainingItemCount" not in first["metadata"]
    path = f"{CONFIGMAPS}?limit=2&labelSelector=even%3DTrue&continue={first['metadata']['continue']}"
    assert names((await api("GET", path)).json) == ["c4"]


async def test_a_table_has_pages_too(api: Client) -> None:
    await fill(api, 3)
    first = (await api("GET", f"{CONFIGMAPS}?limit=2", headers=TABLE)).json
    path = f"{CONFIGMAPS}?limit=2&continue={first['metadata']['continue']}"
    second = (await api("GET", path, headers=TABLE)).json
    assert [row["cells"][0] for row in first["rows"] + second["rows"]] == ["c0", "c1", "c2"]


async def test_an_expired_token_comes_with_one_that_goes_on_with_the_current_state(
    api: Client, monkeypatch: Any
) -> None:
    await fill(api, 3)
    first = (await api("GET", f"{CONFIGMAPS}?limit=1")).json
    monkeypatch.setattr(snapshots, "MAX_AGE_S", 0.0)
    await api("DELETE", f"{CONFIGMAPS}/c1")
    gone = await api("GET", f"{CONFIGMAPS}?limit=5&continue={first['metadata']['continue']}")
    assert (gone.status, gone.json["reason"]) == (410, "Expired")
    rest = await api("GET", f"{CONFIGMAPS}?limit=5&continue={gone.json['metadata']['continue']}")
    assert names(rest.json) == ["c2"]


async def test_an_exact_version_is_served_while_no_object_of_the_resource_has_changed_since(api: Client) -> None:
    await fill(api, 2)
    version = (await api("GET", CONFIGMAPS)).json["metadata"]["resourceVersion"]
    exact = f"{CONFIGMAPS}?resourceVersion={version}&resourceVersionMatch=Exact"
    await api("POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})
    reply = await api("GET", exact)
    assert (names(reply.json), reply.json["metadata"]["resourceVersion"]) == (["c0", "c1"], version)
    await api("DELETE", f"{CONFIGMAPS}/c0")
    assert (await api("GET", exact)).status == 410


async def test_a_generated_name_that_is_always_taken_already_exists(api: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr("master.api.pipeline.metadata.generated", lambda base: f"{base}x")
    body = {"metadata": {"generateName": "c-"}}
    assert (await api("POST", CONFIGMAPS, body)).json["metadata"]["name"] == "c-x"
    reply = await api("POST", CONFIGMAPS, body)
    assert (reply.status, reply.json["reason"]) == (409, "AlreadyExists")
