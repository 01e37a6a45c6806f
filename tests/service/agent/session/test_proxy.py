"""Requests through the proxies of pods, to HTTP servers on loopback that stand for the pods."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from master.api.remote import proxylinks
from master.api.remote.proxylinks import Links
from tests.fakes.listening import listening, unused_port
from tests.fakes.processbed import Bed
from tests.fakes.sessions import until
from tests.service.agent.session.proxied import NAMESPACE, mirror, serving, through
from tests.service.master.kubectls import NEWEST, name_of

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("pod_runs")]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_requests_reach_the_pod_as_they_are(bed: Bed, method: str) -> None:
    body = None if method in ("GET", "OPTIONS") else b"some bytes"
    path = "/a%20b//c%2Fd/?x=1&x=%26&watch=true"
    async with serving(mirror) as port:
        sent = {"X-Mine": "1", "Authorization": "Bearer x", "Te": "gzip", "X-Forwarded-For": "192.0.2.9"}
        answer = await bed.client(method, through(port, path), body, headers=sent)
    assert answer.status == 200 and answer.headers["X-Pod"] == "yes"
    assert "Access-Control-Allow-Origin" not in answer.headers and "Keep-Alive" not in answer.headers
    got = answer.json
    assert (got["method"], got["path"]) == (method, path)
    assert got["body"] == ("some bytes" if body else "")
    headers = dict(got["headers"])
    assert headers["X-Mine"] == "1" and headers["X-Forwarded-For"] == "192.0.2.9, 127.0.0.1"
    assert headers["X-Forwarded-Uri"] == through(port, "/a%20b/c%2Fd/")
    assert headers["Host"] == f"127.0.0.1:{bed.client.port}"
    assert not {"Authorization", "Te"} & set(headers)
    (request,) = bed.agent.machine.connection_requests
    assert request.by_pod_address and request.port == port
    await until(lambda: not bed.agent.machine.connections)


@pytest.mark.parametrize("host", ["", "a:99999999", "[::broken", "user:password@evil.example", "other.example:1"])
async def test_the_host_that_a_client_names_changes_only_the_header(bed: Bed, host: str) -> None:
    async with serving(mirror) as port:
        answer = await bed.client("GET", through(port, "/a%2Fb?c=%26"), headers={"Host": host})
    assert answer.status == 200 and answer.json["path"] == "/a%2Fb?c=%26"
    headers = dict(answer.json["headers"])
    assert headers["Host"] == host and "Authorization" not in headers


async def test_a_head_has_the_length_and_no_body(bed: Bed) -> None:
    async with serving(mirror) as port:
        answer = await bed.client("HEAD", through(port, "/"))
    assert answer.status == 200 and int(answer.headers["Content-Length"]) > 0 and answer.body == b""


async def test_bodies_stream_in_both_directions(bed: Bed) -> None:
    """The pod answers each line before the next one is sent."""

    async def answer_lines(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for line in request.content:
            await response.write(b"got " + line)
        return response

    answered: asyncio.Queue[bytes] = asyncio.Queue()

    async def lines() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"line %d\n" % number
            assert await answered.get() == b"got line %d\n" % number

    async with serving(answer_lines) as port:
        address = bed.client.url(through(port, "/"))
        async with bed.session.post(address, data=lines(), ssl=bed.client.context) as answer:
            async for line in answer.content:
                answered.put_nowait(line)
    assert answered.empty()


async def test_megabytes_arrive_whole_both_ways(bed: Bed) -> None:
    async def back(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for piece in request.content.iter_any():
            await response.write(piece)
        return response

    data = os.urandom(20 << 20)
    async with serving(back) as port:
        answer = await bed.client("POST", through(port, "/"), data)
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(data).digest()


async def test_a_response_that_breaks_off_breaks_off_for_the_client(bed: Bed) -> None:
    async def break_off(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async with serving(break_off) as port:
        with pytest.raises(aiohttp.ClientPayloadError):
            await bed.client("GET", through(port, "/"))


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        pytest.param("/login?to=1", "{proxy}/login?to=1", id="absolute path"),
        pytest.param("login", "login", id="relative"),
        pytest.param("http://10.244.0.5:{port}/x/", "{proxy}/x/", id="the pod's address"),
        pytest.param("http://other.example/x", "http://other.example/x", id="another host"),
        pytest.param("{proxy}/there", "{proxy}/there", id="the pod knows the proxy"),
    ],
)
async def test_redirections_stay_in_the_proxy(bed: Bed, location: str, expected: str) -> None:
    async def redirect(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": request.headers["X-To"]})

    async with serving(redirect) as port:
        to = location.format(port=port, proxy=through(port))
        address = bed.client.url(through(port, "/"))
        sending = bed.session.get(address, headers={"X-To": to}, ssl=bed.client.context, allow_redirects=False)
        async with sending as answer:
            assert (answer.status, answer.headers["Location"]) == (302, expected.format(port=port, proxy=through(port)))


async def test_others_have_their_turn_while_a_page_is_unpacked(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes in gzip are a page of megabytes."""
    turns: list[int] = []

    class Watched(Links):
        """Notes, after each part of the page, how many earlier parts were followed by a turn of the others."""

        def feed(self, data: bytes) -> Iterator[bytes]:
            parts.append(len(turns))
            asyncio.get_running_loop().call_soon(turns.append, len(parts))
            return super().feed(data)

    parts: list[int] = []
    plain = b'<a href="/x">t</a>' * 50_000

    async def packed(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(
            body=gzip.compress(plain), headers={"Content-Type": "text/html", "Content-Encoding": "gzip"}
        )

    monkeypatch.setattr(proxylinks, "Links", Watched)
    async with serving(packed) as port:
        answer = await bed.client("GET", through(port, "/"), headers={"Accept-Encoding": "gzip"})
    assert answer.status == 200 and len(parts) > 10 and parts == list(range(len(parts)))


async def test_the_proxy_itself_redirects_to_its_root(bed: Bed) -> None:
    address = bed.client.url(f"{through(80)}?a=b")
    async with bed.session.get(address, ssl=bed.client.context, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (301, f"{through(80)}/?a=b")


async def test_a_pod_with_tls_is_reached_by_the_scheme(bed: Bed) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(bed.client.pki.server.certificate, bed.client.pki.server.key)
    async with serving(mirror, tls) as port:
        answer = await bed.client("GET", through(port, "/x", scheme="https:"))
    assert (answer.status, answer.json["path"]) == (200, "/x")


@pytest.mark.parametrize(
    "beginning", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], ids=["silent", "half"]
)
async def test_a_client_that_goes_away_frees_the_connection_to_a_pod_that_does_not_answer(
    bed: Bed, beginning: bytes
) -> None:
    """As in Kubernetes, a pod may take as long as it likes for its answer."""
    asked, left = asyncio.Event(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(beginning)
        asked.set()
        assert await reader.read() == b""
        left.set()

    async with listening(hang) as port:
        asking = asyncio.create_task(bed.client("GET", through(port, "/")))
        await asked.wait()
        asking.cancel()
        await left.wait()
        await until(lambda: not bed.agent.machine.connections and not bed.master.streams._streams)


async def test_too_many_requests_to_a_pod_are_refused_as_such(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("master.dispatch.shares.MAX_OF_POD", 0)
    answer = await bed.client("GET", through(unused_port(), "/"))
    assert (answer.status, answer.json["reason"]) == (429, "TooManyRequests")
    assert answer.json["message"] == "pod default/web has 0 streams open already; try again when one has ended"


async def test_a_refused_connection_is_unavailable(bed: Bed) -> None:
    closed = unused_port()
    answer = await bed.client("GET", through(closed, "/"))
    why = f"error trying to reach service: dial tcp 127.0.0.1:{closed}: connect: connection refused"
    assert (answer.status, answer.json["reason"], answer.json["message"]) == (503, "ServiceUnavailable", why)


async def test_a_pod_that_speaks_no_http_is_unavailable(bed: Bed) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example\r\n")

    async with listening(greet) as port:
        answer = await bed.client("GET", through(port, "/"))
    assert answer.status == 503 and answer.json["message"].startswith("error trying to reach service: ")


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        pytest.param("/pods/a:b:c:d/proxy/", 400, 'invalid pod request "a:b:c:d"', id="too many parts"),
        pytest.param("/pods/ftp:web:80/proxy/", 400, 'invalid pod request "ftp:web:80"', id="scheme"),
        pytest.param("/pods/web:http/proxy/", 400, 'invalid port "http"', id="port"),
        pytest.param("/pods/other/proxy/", 404, 'pods "other" not found', id="no pod"),
        pytest.param("/services/none/proxy/", 503, 'no endpoints available for service "none"', id="no endpoints"),
        pytest.param("/services/none:80/proxy/", 404, 'services "none" not found', id="no service"),
        pytest.param("/pods/web/log/more", 404, "the server could not find the requested resource", id="not a proxy"),
    ],
)
async def test_wrong_targets(bed: Bed, path: str, code: int, message: str) -> None:
    answer = await bed.client("GET", NAMESPACE + path)
    assert (answer.status, answer.json["message"]) == (code, message)


async def test_who_has_no_permission_reaches_no_pod(bed: Bed) -> None:
    answer = await bed.client("GET", through(80, "/"), context=bed.client.anonymous)
    assert answer.status in (401, 403) and not bed.agent.machine.connection_requests


async def test_links_of_a_page_lead_to_the_proxy(bed: Bed) -> None:
    async def answer_page(request: web.BaseRequest) -> web.StreamResponse:
        text = f'<a href="/x">{request.host}</a>'
        return web.Response(text=text, content_type="text/html" if request.path == "/page" else "text/plain")

    async with serving(answer_page) as port:
        host = f"127.0.0.1:{bed.client.port}"
        page = await bed.client("GET", through(port, "/page"))
        assert page.body.decode() == f'<a href="{through(port)}/x">{host}</a>'
        text = await bed.client("GET", through(port, "/text"))
        assert text.body.decode() == f'<a href="/x">{host}</a>'
        head = await bed.client("HEAD", through(port, "/page"))
        assert head.status == 200 and head.body == b""


@pytest.mark.parametrize("binary", NEWEST, ids=name_of)
async def test_kubectl_gets_raw_paths(bed: Bed, binary: Path) -> None:
    async with serving(mirror) as port:
        process = await bed.kubectl(binary, "get", "--raw", through(port, "/hello?x=1"))
        output, errors = await process.communicate(b"")
    assert process.returncode == 0, errors
    assert b'"path": "/hello?x=1"' in output


@pytest.mark.parametrize("binary", NEWEST, ids=name_of)
async def test_kubectl_proxy_leads_to_the_pod(bed: Bed, binary: Path) -> None:
    process = await bed.kubectl(binary, "proxy", "--port=0")
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    local = line.strip().rpartition(":")[2]
    async with serving(mirror) as port, bed.session.get(f"http://127.0.0.1:{local}{through(port, '/x')}") as answer:
        assert (await answer.json())["path"] == "/x"
    process.kill()
    await process.communicate(b"")
