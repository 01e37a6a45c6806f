"""The subresource `ephemeralcontainers`: read and written as kubectl does it, in all formats of bodies and patches."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.master.api.bad_input.conftest import Direct, direct, refusal  # noqa: F401 - a fixture
from tests.service.master.api.test_patches import JSON, MERGE, PODS, STRATEGIC

X = f"{PODS}/x"
PATH = f"{X}/ephemeralcontainers"
DEBUG = {"name": "debug", "image": "tools", "stdin": True, "tty": True, "targetContainerName": "c"}


@pytest.fixture
async def server(direct: Direct) -> Direct:  # noqa: F811
    """A server with a pod `x`."""
    spec = {"containers": [{"name": "c", "image": "i"}]}
    assert (await direct("POST", PODS, {"metadata": {"name": "x"}, "spec": spec})).status == 201
    return direct


def names(pod: dict[str, Any]) -> list[str]:
    return [each["name"] for each in pod["spec"].get("ephemeralContainers", [])]


async def test_one_is_added_by_an_update(server: Direct) -> None:
    pod = (await server("GET", PATH)).json
    pod["spec"]["ephemeralContainers"] = [DEBUG]
    reply = await server("PUT", PATH, pod)
    assert reply.status == 200 and reply.json["kind"] == "Pod"
    stored = (await server("GET", X)).json
    (added,) = stored["spec"]["ephemeralContainers"]
    assert added["targetContainerName"] == "c" and added["imagePullPolicy"] == "Always"
    assert stored["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("media", "first", "second"),
    [
        pytest.param(
            STRATEGIC,
            {"spec": {"ephemeralContainers": [DEBUG]}},
            {"spec": {"ephemeralContainers": [{**DEBUG, "name": "two"}]}},
            id="strategic merge",
        ),
        pytest.param(
            MERGE,
            {"spec": {"ephemeralContainers": [DEBUG]}},
            {"spec": {"ephemeralContainers": [DEBUG, {**DEBUG, "name": "two"}]}},
            id="merge",
        ),
        pytest.param(
            JSON,
            [{"op": "add", "path": "/spec/ephemeralContainers", "value": [DEBUG]}],
            [{"op": "add", "path": "/spec/ephemeralContainers/-", "value": {**DEBUG, "name": "two"}}],
            id="JSON patch",
        ),
    ],
)
async def test_they_are_added_by_patches(server: Direct, media: str, first: Any, second: Any) -> None:
    for patch, expected in ((first, {"debug"}), (second, {"debug", "two"})):
        reply = await server("PATCH", PATH, patch, media=media)
        assert reply.status == 200, reply.body
        assert {*names(reply.json)} == expected
    assert {*names((await server("GET", PATH)).json)} == {"debug", "two"}


async def test_one_that_is_there_can_be_neither_changed_nor_removed(server: Direct) -> None:
    assert (await server("PATCH", PATH, {"spec": {"ephemeralContainers": [DEBUG]}}, media=STRATEGIC)).status == 200
    for value in ([], [{**DEBUG, "image": "other"}]):
        refused = await server("PATCH", PATH, {"spec": {"ephemeralContainers": value}}, media=MERGE)
        assert refusal(refused, 422) == ["spec.ephemeralContainers"]


async def test_the_pod_itself_takes_none(server: Direct) -> None:
    refused = await server("PATCH", X, {"spec": {"ephemeralContainers": [DEBUG]}}, media=STRATEGIC)
    assert refusal(refused, 422) == ["spec"]
    pod = {"metadata": {"name": "y"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    pod["spec"]["ephemeralContainers"] = [DEBUG]  # type: ignore[assignment]
    assert refusal(await server("POST", PODS, pod), 422) == ["spec.ephemeralContainers"]


async def test_other_changes_are_dropped_and_the_client_owns_what_it_added(server: Direct) -> None:
    change = {"metadata": {"labels": {"a": "b"}}, "spec": {"hostname": "z", "ephemeralContainers": [DEBUG]}}
    reply = await server("PATCH", PATH, change, media=STRATEGIC)
    assert "labels" not in reply.json["metadata"] and "hostname" not in reply.json["spec"]
    (entry,) = [each for each in reply.json["metadata"]["managedFields"] if each.get("subresource")]
    assert entry["subresource"] == "ephemeralcontainers"
    assert list(entry["fieldsV1"]) == ["f:spec"]
    assert 'k:{"name":"debug"}' in entry["fieldsV1"]["f:spec"]["f:ephemeralContainers"]
