"""Random requests over TLS cause no 5xx and no traceback, and the server continues.

Reproducible: each batch has a seed. `--long` sends twenty times as many.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import string
from dataclasses import replace
from typing import Any

import pytest

from master import kinds
from master.config import MasterConfig
from master.registry.resource import Resource
from tests.masters import Client
from tests.service.master.api.bad_input.conftest import collection, document
from tests.service.master.api.bad_input.places import Place, places_of_kind
from tests.service.master.api.bad_input.samples import STORED

BATCH = 150
_LETTERS = string.printable + "\0\u202e\u20ac\U0001f600"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "get")
_PARAMETERS = (
    *("limit", "continue", "resourceVersion", "resourceVersionMatch", "labelSelector", "fieldSelector", "watch"),
    *("timeoutSeconds", "allowWatchBookmarks", "sendInitialEvents", "dryRun", "propagationPolicy", "container"),
    *("gracePeriodSeconds", "orphanDependents", "tailLines", "sinceSeconds", "sinceTime", "limitBytes", "previous"),
    *("timestamps", "pretty", "fieldManager", "fieldValidation", "includeObject", "x" * 500, "%ff", ""),
)
_VALUES = (
    *("", "0", "1", "-1", "true", "maybe", "All", "Exact", "NotOlderThan", "Strict", "\u0663", "1e3", "0x1", "NaN"),
    *(
        "9" * 18,
        "9" * 19,
        "9" * 400,
        "x" * 3000,
        "%",
        "%zz",
        "%00",
        "%ff",
        "%F0%9F%98%80",
        "a=b",
        "a in (b,c",
        "a!=b,,",
    ),
    *("!a", "a,b notin (c)", "=,=", "metadata.name=x", "spec.nodeName!=", "status.phase=", "()", "a>1", "a<x", "\\,"),
    *("+" * 4000, "a" + "+" * 4000, "%20" * 1300 + "a", "Orphan", "Background", "2024-01-01T00:00:00Z", "yesterday"),
)
_PATHS = (
    *("/", "//", "/api", "/api/", "/api/v1", "/api/v2", "/apis", "/apis/apps/v1", "/apis/discovery.k8s.io", "/healthz"),
    *(
        "/version",
        "/openapi/v2",
        "/sampan/v1/ca",
        "/sampan/v1/join",
        "/sampan",
        "/metrics",
        "*",
        "/..",
        "/api/v1/../v1",
    ),
    *("/api/v1/namespaces/default/pods/x/log", "/api/v1/namespaces/default/pods/x/binding", "/api/v1/nodes/%2e%2e"),
    *("/api/v1/namespaces/default/pods/x/status", "/api/v1/namespaces/default/replicationcontrollers/x/scale"),
    *("/api/v1/namespaces/default/pods/x/exec", "/api/v1/namespaces/%00/pods", "/api/v1/namespaces/default%2Fx/pods"),
    *("/api/v1/namespaces//pods", "/api/v1/namespaces/default/pods/" + "x" * 4000, "/api/v1/namespaces/caf%C3%A9"),
    *("/api/v1/namespaces/default/pods/%ff%fe", "/api/v1/namespaces/default/pods/x/y/z/w", "/api/v1/pods/x", "/%"),
    *(
        "http://other/api/v1/pods",
        "other:443",
        "/api/v1/pods;a=b",
        "/api/v1/pods#x",
        "/API/V1/PODS",
        "/api/v1/watch/pods",
    ),
)
_PATCHES = ("application/merge-patch+json", "application/strategic-merge-patch+json")
_MEDIA = (
    *("application/json", "application/yaml", "application/merge-patch+json", "application/json-patch+json", ""),
    *("application/strategic-merge-patch+json", "application/apply-patch+yaml", "text/plain", "multipart/form-data"),
    *(
        "application/vnd.kubernetes.protobuf",
        "application/json; charset=utf-16",
        "APPLICATION/JSON",
        "a/b/c",
        ";;;",
        "*",
    ),
)
_ACCEPT = (
    *("application/json", "*/*", "", "text/html", "application/json;as=Table;v=v1;g=meta.k8s.io", "application/cbor"),
    *("application/json;as=Table;v=v9;g=x", "application/json;q=0", ",,;;=", "application/json;as", "x" * 5000),
    *("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io, application/json", "application/yaml"),
)


_PLACES = {kind.kind: places_of_kind(kind) for kind in STORED}
_FRAMINGS = (
    ("Content-Length: 20",),
    ("Content-Length: -1",),
    ("Content-Length: 1_0",),
    ("Content-Length: +5",),
    ("Content-Length: 99999999999999999999999",),
    ("Content-Length: 5", "Content-Length: 6"),
    ("Content-Length: 5", "Transfer-Encoding: chunked"),
    ("Transfer-Encoding: gzip, chunked",),
    ("Transfer-Encoding: chunked, identity",),
)


class Fuzzer:
    """Makes the requests of a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def request(self) -> bytes:
        """The bytes of a request. Two of three are valid HTTP with an invalid object, one of three is arbitrary."""
        return self.nearly_valid() if not self.one_in(3) else self.wild()

    def nearly_valid(self) -> bytes:
        kind = self.random.choice(STORED)
        suffix = self.random.choice(("", "", "/x", "/x", "/x/status"))
        methods = ("GET", "PUT", "PATCH", "DELETE") if suffix else ("GET", "POST", "POST", "DELETE")
        method = self.random.choice(methods)
        media = self.random.choice(_PATCHES if method == "PATCH" else _MEDIA[:2])
        body = self.changed(kind, "x" if suffix else f"n{self.random.randrange(50)}") if method != "GET" else b""
        path = f"{collection(kind)}{suffix}{self.query()}"
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        return f"{head}Content-Type: {media}\r\n\r\n".encode() + body

    def changed(self, kind: Resource[Any], name: str) -> bytes:
        """An object of the kind with up to two changed places."""
        obj = document(kind, name)
        for _ in range(self.random.choice((0, 1, 1, 2))):
            place = self.random.choice(_PLACES[kind.kind])
            fits = place.shape in ("str", "int") and not self.one_in(3)
            obj = place.put(obj, self.likely(place) if fits else self.junk())
        return json.dumps(obj).encode() if not self.one_in(8) else self.body()

    def likely(self, place: Place) -> Any:
        if place.shape == "int":
            return self.random.choice((0, 1, 80, 65535, 65536, -1, (1 << 31) - 1))
        return self.random.choice(("a", "10.96.0.7", "default", "None", "Always", "kubernetes", "n1", "a.b", "A", ""))

    def wild(self) -> bytes:
        method = self.random.choice(_METHODS)
        body = self.body() if method in ("POST", "PUT", "PATCH", "DELETE") or self.one_in(10) else b""
        lines = [f"{method} {self.target()} HTTP/{self.random.choice(('1.1',) * 8 + ('1.0', '2.0', '9.9', '1'))}"]
        lines += [f"{name}: {value}" for name, value in self.headers()]
        framing = self.random.random()
        if framing < 0.8:
            lines.append(f"Content-Length: {len(body)}")
        elif framing < 0.9:
            lines.append("Transfer-Encoding: chunked")
            body = self.chunked(body)
        else:
            lines += self.random.choice(_FRAMINGS)
        head = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
        return head + body if not self.one_in(15) else self.garbled(head + body)

    def one_in(self, times: int) -> bool:
        return self.random.randrange(times) == 0

    def target(self) -> str:
        path = self.random.choice(_PATHS)
        if self.one_in(2):
            path = collection(self.random.choice(STORED)) + self.random.choice(("", "/x", "/y", "/x/status", "/"))
        target = path + self.query()
        return target if self.one_in(20) else target.replace(" ", "%20")

    def query(self) -> str:
        chosen = [
            f"{self.random.choice(_PARAMETERS)}={self.random.choice(_VALUES)}"
            for _ in range(self.random.choice((0, 0, 1, 2)))
        ]
        # A successful watch would last long, so it gets a short time limit.
        last = ["timeoutSeconds=1"] if "watch" in "".join(chosen) else []
        return "?" + "&".join([*chosen, *last]).replace(" ", "%20") if chosen else ""

    def headers(self) -> list[tuple[str, str]]:
        headers = [("Host", self.random.choice(("127.0.0.1", "", "a b", "x" * 300, "[::1")))]
        offers: list[tuple[str, tuple[str, ...]]] = [
            ("Content-Type", _MEDIA),
            ("Accept", _ACCEPT),
            ("Authorization", ("Bearer x", "Bearer ", "Basic %%%", "Bearer " + "x" * 5000, "", "Negotiate")),
            ("Content-Encoding", ("gzip", "deflate", "br", "identity", "gzip, gzip", "x")),
            ("Expect", ("100-continue", "200-ok", "")),
            ("Upgrade", ("websocket", "h2c", "SPDY/3.1", "")),
            ("Connection", ("Upgrade", "close", "keep-alive", "Upgrade, HTTP2-Settings", "x")),
            ("Impersonate-User", ("system:masters",)),
            ("X-Remote-Group", ("system:masters",)),
            ("Cookie", ("a=" + "b" * 7000, ";;;=")),
            ("X-Letters", ("caf\u00e9", "\x01", "x" * 9000, "a\tb")),
            ("Range", ("bytes=0-1", "bytes=-")),
            ("Sec-WebSocket-Key", ("x",)),
        ]
        for name, values in offers:
            if self.one_in(3 if name in ("Content-Type", "Accept") else 12):
                headers.append((name, self.random.choice(values)))
        if self.one_in(60):
            headers += [(f"X-{number}", "y") for number in range(200)]
        return headers

    def body(self) -> bytes:
        kind = self.random.choice(STORED)
        if self.random.random() < 0.6:
            return json.dumps(self.mutated({"kind": kind.kind, **document(kind)}, 4)).encode()
        text = json.dumps(document(kind)).encode()
        return self.random.choice(
            (
                text[: self.random.randrange(len(text))],
                b"[" * 100_000,
                b'{"a":' * 50_000,
                b'{"metadata":{"name":"x","name":"x"},"data":{},"data":{}}',
                b'{"metadata":{"name":"x"},"count":1e400,"data":{"a":' + b"9" * 5000 + b"}}",
                b"\x1f\x8b\x08\x00" + bytes(self.random.randrange(256) for _ in range(50)),
                bytes(self.random.randrange(256) for _ in range(100)),
                b"a: &a [x]\nb: *a\n",
                b"- " * 20_000,
                b"\xff\xfe{\x00}\x00",
                b'{"metadata":{"name":"\\ud83d"}}',
                b"k8s\x00\n\x0c\n\x02v1\x12\x03Pod",
                b'[{"op":"add","path":"/metadata/labels","value":5}]',
            )
        )

    def mutated(self, value: Any, left: int) -> Any:
        """The value with some random parts, at most `left` levels deep."""
        if left and isinstance(value, dict):
            copy = {key: self.mutated(inner, left - 1) for key, inner in value.items()}
            if self.one_in(3):
                copy[self.random.choice(("metadata", "spec", "status", "data", "", "kind", "x" * 300))] = self.junk()
            return copy
        if left and isinstance(value, list):
            return [self.mutated(inner, left - 1) for inner in value] * self.random.choice((1, 1, 1, 0, 2))
        return self.junk() if self.one_in(6) else value

    def junk(self) -> Any:
        letters = "".join(
            self.random.choices(string.printable + "\0\u202e\u20ac\U0001f600", k=self.random.randrange(9))
        )
        return self.random.choice(
            (None, True, 0, -1, 1 << 31, 1 << 70, 1.5, 1e300, letters, "x" * 300, [], {}, [letters], {letters: letters})
        )

    def chunked(self, body: bytes) -> bytes:
        valid = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        return self.random.choice(
            (
                valid,
                b"zz\r\n" + body,
                b"-1\r\nx\r\n0\r\n\r\n",
                b"ffffffffffffffffff\r\nx",
                valid[:-5] + b"X: y\r\n\r\n",
                b"5\r\n",
            )
        )

    def garbled(self, data: bytes) -> bytes:
        garbled = bytearray(data)
        for _ in range(self.random.randrange(1, 6)):
            garbled[self.random.randrange(len(garbled))] = self.random.randrange(256)
        return bytes(garbled)


async def ask(api: Client, data: bytes) -> bytes:
    """Sends the bytes on a new connection. Returns the status line, or b"" if the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, ssl=api.context, server_hostname="127.0.0.1")
    try:
        writer.write(data)
        async with asyncio.timeout(10):
            line = await reader.readline()
            while line.startswith(b"HTTP/1.1 100"):
                await reader.readline()
                line = await reader.readline()
            return line
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


def batches(config: pytest.Config) -> int:
    return 300 if config.getoption("--long", default=False) else 15


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(batches(metafunc.config)))


@pytest.fixture
def config(config: MasterConfig) -> MasterConfig:
    """Short time limits, because some requests have incomplete headers or bodies."""
    return replace(config, request_timeout_s=0.3, idle_timeout_s=0.5)


async def test_random_requests_are_answered_and_the_server_continues(
    api: Client, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    unhandled: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    for kind in STORED:
        assert (await api("POST", collection(kind), document(kind))).status == 201
    fuzzer = Fuzzer(seed)
    requests = [fuzzer.request() for _ in range(BATCH)]
    answers: list[bytes] = []
    for first in range(0, BATCH, 25):
        answers += await asyncio.gather(*(ask(api, data) for data in requests[first : first + 25]))
        assert (await api("GET", "/healthz")).body == b"ok"
    for data, line in zip(requests, answers, strict=True):
        code = int(line.split()[1]) if line else 0
        # Kubernetes answers 504 for a resourceVersion that does not exist yet.
        future = code == 504 and b"resourceVersion=" in data
        assert code < 500 or future, (line, data[:600])
    assert sum(1 for line in answers if line) > BATCH // 2
    pods = await api("GET", collection(kinds.POD))
    assert pods.status == 200 and pods.json["kind"] == "PodList"
    gc.collect()
    await asyncio.sleep(0)
    assert not unhandled, unhandled
    assert not [record for record in caplog.records if record.exc_info or record.levelname in ("ERROR", "CRITICAL")]
