"""The API's handler called directly, without sockets, so that tests can send thousands of requests in seconds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import HttpVersion11, web
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from master import cluster_api
from master.api.resources import Resources
from master.api.server import ApiServer
from master.config import MasterConfig
from master.registry.resource import Resource
from tests.fakes.clock import FakeClock
from tests.masters import FakeJoin, FakeLogs, Reply, new_pki
from tests.sample_objects import collection as collection
from tests.sample_objects import example
from tests.service.master.api.bad_input.places import Place, places_of_kind

MERGE = "application/merge-patch+json"
_ADMIN = {"subject": ((("organizationName", "system:masters"),), (("commonName", "admin"),))}
document = example


class _Transport:
    """The connection of the administrator, after TLS has verified the certificate."""

    def get_extra_info(self, name: str) -> Any:
        return _ADMIN if name == "peercert" else None


class _Protocol:
    """The attributes of a connection that aiohttp's request reads."""

    transport = _Transport()
    ssl_context = None
    peername = sockname = None


class _Body:
    """A body that has been received completely."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def is_eof(self) -> bool:
        return True

    def exception(self) -> None:
        return None

    def read_nowait(self) -> bytes:
        return self._data


class Direct:
    """Calls the server's handler as the administrator."""

    def __init__(self, server: ApiServer, resources: Resources) -> None:
        self._server = server
        self.resources = resources
        self.count = 0
        """Number of requests so far."""

    async def __call__(self, method: str, path: str, body: Any = None, *, media: str = "application/json") -> Reply:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = await self._server.handle(self._request(method, path, data, media))
        self.count += 1
        assert isinstance(answer, web.Response) and isinstance(answer.body, bytes)
        return Reply(answer.status, answer.headers, answer.body)

    def _request(self, method: str, path: str, data: bytes, media: str) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        headers = CIMultiDict({"Content-Type": media, "Content-Length": str(len(data))})
        raw = tuple((name.encode(), value.encode()) for name, value in headers.items())
        message = RawRequestMessage(
            method, path, HttpVersion11, CIMultiDictProxy(headers), raw, False, None, False, False, URL(path)
        )
        protocol: Any = _Protocol()
        body: Any = _Body(data)
        task: Any = asyncio.current_task()
        writer: Any = None
        return web.BaseRequest(message, body, protocol, writer, task, loop)

    async def patch(self, path: str, body: Any) -> Reply:
        return await self("PATCH", path, body, media=MERGE)


@pytest.fixture
def direct(resources: Resources, tmp_path: Path) -> Direct:
    config = MasterConfig(data_dir=tmp_path, listen_address="127.0.0.1", api_port=0)
    server = cluster_api.server(config, resources, new_pki(config), FakeLogs(), FakeJoin(), clock=FakeClock())
    return Direct(server, resources)


def refusal(reply: Reply, *codes: int) -> list[str]:
    """The fields in the causes of an error. Checks that the error is a complete Status and that it is short."""
    status = reply.json
    assert reply.status in (codes or (400, 404, 409, 413, 415, 422)), reply.body[:500]
    assert (status["kind"], status["apiVersion"], status["status"]) == ("Status", "v1", "Failure")
    assert status["code"] == reply.status
    assert status["reason"] == _REASONS[reply.status] or reply.status == 409
    assert status["message"] and "Traceback" not in status["message"]
    assert len(reply.body) < 64 << 10, len(reply.body)
    fields = [cause.get("field", "") for cause in status.get("details", {}).get("causes", [])]
    for field in fields[:5]:
        assert field in status["message"]
    return fields


_REASONS = {
    400: "BadRequest",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
}


PlacesOf = Callable[[Resource[Any]], list[Place]]
_EVERY = 10


@pytest.fixture
def places_of(long_run: bool) -> PlacesOf:
    """All places of a Pod, the largest kind; of each other kind every tenth, as all kinds pass one pipeline; or all."""
    step = 1 if long_run else _EVERY
    return lambda kind: places_of_kind(kind)[:: 1 if kind.kind == "Pod" else step]
