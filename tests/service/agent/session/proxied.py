"""What the tests of the proxies share: HTTP servers on loopback that stand for the pods, and the paths of the proxy."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

NAMESPACE = "/api/v1/namespaces/default"

Answering = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(answering: Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """An HTTP server on loopback; its port."""
    runner = web.ServerRunner(web.Server(answering, access_log=None), handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def mirror(request: web.BaseRequest) -> web.StreamResponse:
    """Answers with what it got."""
    body = await request.read()
    headers = [[name, value] for name, value in request.headers.items()]
    return web.json_response(
        {"method": request.method, "path": request.raw_path, "headers": headers, "body": body.decode()},
        headers={"Access-Control-Allow-Origin": "*", "X-Pod": "yes", "Keep-Alive": "timeout=5"},
    )


def through(port: int | str, path: str = "", *, scheme: str = "") -> str:
    return f"{NAMESPACE}/pods/{scheme}web:{port}/proxy{path}"
