"""Nonsensical bodies, queries and paths get a Status, and the server continues."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from master import cluster_api
from master.api.identity import component
from master.config import MasterConfig
from master.kinds import CONFIGMAP
from master.kinds.core.configmap import ConfigMap
from master.objects.meta import ObjectMeta
from tests.masters import Client, FakeJoin, FakeLogs

PODS = "/api/v1/namespaces/default/pods"


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"activeDeadlineSeconds": 1 << 40}, "spec.activeDeadlineSeconds"),
        ({"terminationGracePeriodSeconds": (1 << 63) - 1}, "spec.terminationGracePeriodSeconds"),
        ({"securityContext": {"runAsUser": -1}}, "spec.securityContext.runAsUser"),
        (
            {"volumes": [{"name": "v", "secret": {"secretName": "s", "defaultMode": 0o1000}}]},
            "spec.volumes[0].secret.defaultMode",
        ),
        (
            {"volumes": [{"name": "v", "configMap": {"name": "s", "items": [{"key": "k", "path": "p", "mode": -1}]}}]},
            "spec.volumes[0].configMap.items[0].mode",
        ),
        (
            {"containers": [{"name": "c", "image": "i", "resources": {"limits": {"memory": "99999999E"}}}]},
            "spec.containers[0].resources.limits[memory]",
        ),
        (
            {"containers": [{"name": "c", "image": "i", "resources": {"limits": {"cpu": "9" * 100_000}}}]},
            "spec.containers[0].resources.limits[cpu]",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_number_that_no_node_can_hold_names_its_field(api: Client, spec: dict[str, Any], field: str) -> None:
    reply = await api("POST", PODS, pod(**spec))
    assert reply.status == 422
    assert field in [cause["field"] for cause in reply.json["details"]["causes"]]
    assert len(reply.body) < 4000


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("DELETE", f"{PODS}/p", {"preconditions": "x"}, 400),
        ("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 10**30}, 400),
        ("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 1 << 62}, 200),
        ("GET", "/api/v1/pods?resourceVersion=%C2%B2", None, 400),
        ("GET", f"{PODS}/p/log?tailLines=%D9%A3", None, 400),
        ("POST", "/api/v1/pods", pod(), 405),
        ("DELETE", "/api/v1/pods", None, 405),
        ("DELETE", "/api/v1/namespaces", None, 405),
        ("DELETE", PODS, None, 200),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_an_invalid_request_gets_its_status(api: Client, method: str, path: str, body: Any, status: int) -> None:
    assert (await api("POST", PODS, pod())).status == 201
    reply = await api(method, path, body)
    assert reply.status == status, reply.body
    assert status < 400 or reply.json["code"] == status


TWICE = b'{"metadata":{"name":"c","name":"c"},"data":{"a":"1"},"data":{"a":"2"}}'


async def test_a_duplicate_key_is_named(api: Client) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    strict = await api("POST", f"{path}?fieldValidation=Strict", TWICE)
    assert strict.status == 400
    assert 'duplicate field "data", duplicate field "metadata.name"' in strict.json["message"]
    assert (await api("POST", f"{path}?fieldValidation=Ignore&dryRun=All", TWICE)).headers.getall("Warning", []) == []
    warned = await api("POST", path, TWICE)
    assert warned.status == 201
    assert warned.headers.getall("Warning") == [
        '299 - "duplicate field \\"data\\""',
        '299 - "duplicate field \\"metadata.name\\""',
    ]
    patch = b'{"data":{"a":"3","a":"4"}}'
    merge = {"Content-Type": "application/merge-patch+json"}
    assert "data.a" in (await api("PATCH", f"{path}/c", patch, headers=merge)).headers["Warning"]
    document = b"metadata:\n  name: d\ndata:\n  a: x\n  a: z\n"
    yaml = await api("POST", path, document, headers={"Content-Type": "application/yaml"})
    assert yaml.status == 201
    assert yaml.headers["Warning"] == '299 - "line 5: key \\"a\\" already set in map"'


async def test_thousands_of_unknown_fields_get_a_short_response(api: Client) -> None:
    body = {"metadata": {"name": "c"}, "x\0y\r\nz": 1, "n" * 5000: 1, **{f"field{number}": 1 for number in range(5000)}}
    reply = await api("POST", "/api/v1/namespaces/default/configmaps", body)
    assert reply.status == 201
    warnings = reply.headers.getall("Warning")
    assert warnings[0] == '299 - "unknown field \\"x y  z\\""'
    assert warnings[-1] == '299 - "and 4982 more"'
    assert sum(map(len, warnings)) < 4000


@pytest.mark.parametrize("query", ["", "?follow=true"])
async def test_a_log_that_breaks_off_ends_with_the_reason_and_without_the_end_of_the_response(
    api: Client, query: str
) -> None:
    """kubectl would take a response with an end for the whole log."""
    assert (await api("POST", PODS, pod(nodeName="breaks"))).status == 201
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, ssl=api.context, server_hostname="127.0.0.1")
    writer.write(f"GET {PODS}/p/log{query} HTTP/1.1\r\nHost: m\r\n\r\n".encode())
    received = await reader.read(-1)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(b"\r\nthe connection to node breaks was lost\n\r\n"), "no last chunk follows"
    writer.close()


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("tailLines=-1", 422, "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ("limitBytes=0", 422, "limitBytes: Invalid value: 0: must be greater than or equal to 1"),
        ("limitBytes=-5", 422, "limitBytes: Invalid value: -5"),
        ("sinceSeconds=0", 422, "sinceSeconds: Invalid value: 0: must be greater than or equal to 1"),
        ("sinceSeconds=5&sinceTime=2026-11-28T13:05:00Z", 422, "at most one of `sinceTime` or `sinceSeconds`"),
        ("sinceTime=2026-11-28", 400, "sinceTime: '2026-11-28' is not a time with a time zone"),
        ("sinceTime=2026-11-28T13:05:00", 400, "is not a time with a time zone"),
        ("sinceTime=yesterday", 400, "is not a time with a time zone"),
        ("tailLines=1.5", 400, "tailLines: '1.5' is not a number of 64 bits"),
        ("tailLines=9223372036854775808", 400, "is not a number of 64 bits"),
        (f"limitBytes={'9' * 5000}", 400, "is not a number of 64 bits"),
    ],
)
async def test_log_options_out_of_range_are_refused(api: Client, query: str, code: int, message: str) -> None:
    assert (await api("POST", PODS, pod(nodeName="n"))).status == 201
    reply = await api("GET", f"{PODS}/p/log?{query}")
    assert (reply.status, message in reply.json["message"]) == (code, True), reply.json
    assert len(reply.json["message"]) < 300


@pytest.mark.parametrize(
    "query",
    [
        "tailLines=0&limitBytes=1&sinceSeconds=1",
        "tailLines=9223372036854775807&limitBytes=9223372036854775807&sinceSeconds=9223372036854775807",
        "sinceTime=0001-01-01T00:00:00Z",
        "sinceTime=9999-12-31T23:59:59Z",
        "sinceTime=2026-11-28T13:05:00.123456789%2B05:30",
        "tailLines=&limitBytes=&sinceSeconds=&sinceTime=",
    ],
)
async def test_log_options_at_their_bounds_are_accepted(api: Client, query: str) -> None:
    assert (await api("POST", PODS, pod(nodeName="n"))).status == 201
    reply = await api("GET", f"{PODS}/p/log?{query}")
    assert (reply.status, reply.body.endswith(b"second\n")) == (200, True)


async def test_malformed_http_leaves_no_traceback(api: Client, caplog: pytest.LogCaptureFixture) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, ssl=api.context, server_hostname="127.0.0.1")
    writer.write(b"NONSENSE / HTTP/1.1\r\n\r\n")
    assert b"400" in await reader.readline()
    writer.close()
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"spec": {"podCIDR": "fd00::/64"}}, "spec.podCIDR"),
        ({"spec": {"podCIDR": "10.244.0.1/24"}}, "spec.podCIDR"),
        ({"status": {"addresses": [{"type": "InternalIP", "address": "nowhere"}]}}, "status.addresses[0].address"),
        ({"status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}}, "status.addresses[0].address"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_node_with_an_unreachable_address_is_refused(api: Client, change: dict[str, Any], field: str) -> None:
    reply = await api("POST", "/api/v1/nodes", {"metadata": {"name": "n"}, **change})
    assert reply.status == 422
    assert [cause["field"] for cause in reply.json["details"]["causes"]] == [field]


@pytest.mark.parametrize("propagation", ["Orphan", "Foreground", "Background"])
async def test_an_event_is_deleted_at_once_with_any_propagation_policy(api: Client, propagation: str) -> None:
    event = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}}
    path = "/api/v1/namespaces/default/events"
    assert (await api("POST", path, event)).status == 201
    assert (await api("DELETE", f"{path}/e", {"propagationPolicy": propagation})).status == 200
    assert (await api("GET", f"{path}/e")).status == 404


async def test_head_of_a_watch_has_no_body_and_ends(api: Client) -> None:
    reply = await api("HEAD", f"{PODS}?watch=1")
    assert (reply.status, reply.body) == (200, b"")
    assert (await api("GET", PODS)).status == 200


async def test_head_of_a_long_table_has_no_body(api: Client) -> None:
    for n in range(601):
        config = ConfigMap(metadata=ObjectMeta(name=f"c{n}"))
        await api.resources.create(component("test"), CONFIGMAP, config, namespace="default")
    path, table = "/api/v1/configmaps", "application/json;as=Table;v=v1;g=meta.k8s.io"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, ssl=api.context, server_hostname="127.0.0.1")
    writer.write(f"HEAD {path} HTTP/1.1\r\nHost: m\r\nAccept: {table}\r\n\r\n".encode())
    writer.write(b"GET /livez HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")
    first, second = (await reader.read()).split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert first.endswith(b"\r\n\r\n") and first.count(b"\r\n\r\n") == 1
    assert second.endswith(b"\r\n\r\nok")
    writer.close()


async def test_a_watch_of_http_1_0_has_no_chunks(api: Client) -> None:
    me = component("test")
    await api.resources.create(me, CONFIGMAP, ConfigMap(metadata=ObjectMeta(name="a")), namespace="default")
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, ssl=api.context, server_hostname="127.0.0.1")
    path = "/api/v1/namespaces/default/configmaps?watch=1"
    writer.write(f"GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.0 200 ")
    assert json.loads(await reader.readline())["object"]["metadata"]["name"] == "a"
    await api.resources.create(me, CONFIGMAP, ConfigMap(metadata=ObjectMeta(name="b")), namespace="default")
    assert json.loads(await reader.readline())["object"]["metadata"]["name"] == "b"
    writer.close()


async def test_a_port_that_is_taken_is_named(api: Client, tmp_path: Path) -> None:
    config = MasterConfig(data_dir=tmp_path, listen_address="127.0.0.1", api_port=api.port)
    server = cluster_api.server(config, api.resources, api.pki, FakeLogs(), FakeJoin())
    with pytest.raises(OSError, match=f"cannot listen on API port 127.0.0.1:{api.port}: Address already in use"):
        await server.run()
