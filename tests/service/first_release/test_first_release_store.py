"""A master of today on the store and the backup of the first release: every object is there, served, and writable."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.clock import FakeClock
from tests.first_release import document, read, requests, unpack
from tests.unit.first_release import product as p
from tests.unit.first_release.conftest import Master

RECORDED: dict[str, Any] = document("master/objects.json.xz")
KINDS: list[str] = sorted(RECORDED["objects"])


def lacking(then: Any, now: Any, where: str = "") -> list[str]:
    """What was served then and is not now, or is something else; what came since is of no matter."""
    if isinstance(then, dict) and isinstance(now, dict):
        return [line for key in then for line in lacking(then[key], now.get(key), f"{where}.{key}")]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = enumerate(zip(then, now, strict=True))
        return [line for number, (a, b) in pairs for line in lacking(a, b, f"{where}[{number}]")]
    return [] if then == now else [f"{where}: {then!r} is {now!r} now"]


def path_of(item: dict[str, Any], resource: str) -> str:
    """Where the API has the object."""
    version = str(item["apiVersion"])
    namespace = item["metadata"].get("namespace")
    below = f"/namespaces/{namespace}" if namespace else ""
    name = item["metadata"]["name"]
    return f"/{'apis' if '/' in version else 'api'}/{version}{below}/{resource.partition('.')[0]}/{name}"


async def test_every_object_is_in_the_cache_as_it_was(master: Master) -> None:
    kinds = {each.resource: each for each in p.kinds.ALL}
    assert kinds.keys() >= set(KINDS)
    for resource in KINDS:
        entries = [json.loads(each.raw) for each in master.cache.entries(kinds[resource])]
        assert lacking(RECORDED["objects"][resource], entries) == [], resource


async def test_every_other_key_is_there(master: Master) -> None:
    values, revision = await master.store.list("/")
    now = {each.key: each.value.decode() for each in values}
    assert {key: value for key, value in RECORDED["keys"].items() if now.get(key) != value} == {}
    assert revision >= RECORDED["revision"]


async def test_identities_keep_their_state_and_pod_cidrs(master: Master) -> None:
    found = {each.name: (each.state, each.pod_cidr) for each in await master.identities.all()}
    assert found == {
        "node1": ("active", "10.244.1.0/24"),
        "node2": ("active", "10.244.3.0/24"),
        "node3": ("removed", found["node3"][1]),
    }
    node = next(each for each in await master.identities.all() if each.name == "node1")
    assert node.fingerprint and node.machine_id and node.trusted == tuple(master.pki.trusted)


def test_no_key_and_no_certificate_is_made_again(data_dir: Path, clock: FakeClock) -> None:
    before = {path.name: path.read_bytes() for path in (data_dir / "pki").iterdir()}
    pki = p.Pki.prepare(p.load_master_config(unpacked_config(data_dir)), now=clock.now)
    after = {path.name: path.read_bytes() for path in (data_dir / "pki").iterdir()}
    assert {name for name, content in before.items() if after.get(name) != content} <= {"server.crt", "server.key"}, (
        "the server's own names, as the one of this host, may have changed"
    )
    assert pki.ca_hash == RECORDED["keys"]["/meta/ca-hash"]


def unpacked_config(data_dir: Path) -> Path:
    """The master's configuration with another data directory."""
    path = data_dir.parent / "master.toml"
    lines = read("master/master.toml").decode().splitlines()
    kept = [line for line in lines if not line.startswith(("data_dir", "bootstrap_token_file"))]
    path.write_text("\n".join([f'data_dir = "{data_dir}"', *kept]))
    return path


class Api:
    """The API of a master, as its administrator sees it."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session, self._base = session, base

    async def __call__(
        self, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", **(headers or {})}
        async with self._session.request(method, self._base + path, data=body, headers=headers) as answer:
            return answer.status, await answer.read()


@pytest.fixture
async def api(master: Master, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Api]:
    """The store's objects over REST. The certificates of the port are of today: those of the store end in 2027."""
    config = p.MasterConfig(data_dir=tmp_path / "port", listen_address="127.0.0.1", api_port=0)
    pki = p.Pki.prepare(config)
    server = p.cluster_api.server(config, master.resources, pki, master.logs, master.join, clock=clock)
    running = asyncio.create_task(server.run())
    await asyncio.wait_for(server.ready.wait(), 20)
    context = ssl.create_default_context(cadata=pki.ca_pem.decode())
    context.load_cert_chain(pki.admin.certificate, pki.admin.key)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield Api(session, f"https://127.0.0.1:{server.port}")
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_every_object_is_served_and_taken_back_unchanged(api: Api) -> None:
    """What the first release accepted, today's checks accept too: else nobody could change such an object again."""
    for resource in KINDS:
        for item in RECORDED["objects"][resource]:
            path = path_of(item, resource)
            status, body = await api("GET", path)
            assert status == 200, (path, body)
            now = json.loads(body)
            moved = path.endswith("/kubernetes")  # service, endpoints and slice say where the master is
            assert moved or lacking(item, now) == [], path
            status, body = await api("PUT", path, body=json.dumps(now).encode())
            assert status == 200, (path, body)


async def test_a_watch_goes_on_from_a_revision_of_then(api: Api, master: Master) -> None:
    """A client that was connected then has missed nothing, when the store still remembers what came after."""
    pods = next(each for each in p.kinds.ALL if each.resource == "pods")
    subscription, past = master.cache.watch(pods, RECORDED["revision"])
    assert list(past) == []
    status, _ = await api("DELETE", "/api/v1/namespaces/shop/pods/not-placed")
    assert status == 200
    batch = await asyncio.wait_for(anext(aiter(subscription)), 5)
    assert [change.type for change in batch.changes] == ["DELETED"]


async def test_a_host_joins_with_a_token_of_then_by_the_requests_of_then(api: Api) -> None:
    asked = [each for each in requests() if each.caller == "join of newcomer"]
    assert {each.path for each in asked} == {"/sampan/v1/ca", "/sampan/v1/join", "/sampan/v1/join?dryRun=All"}
    for request in asked:
        status, body = await api(request.method, request.path, body=request.body, headers=request.headers)
        assert status == request.status, body
        if request.method == "GET":
            assert b"BEGIN CERTIFICATE" in body
            continue
        then, now = json.loads(request.answer), json.loads(body)
        assert now.keys() >= then.keys()
        same = ("clusterId", "clusterCIDR", "serviceCIDR", "nameTaken", "addressTakenBy")
        assert {key: now[key] for key in same if key in then} == {key: then[key] for key in same if key in then}


async def test_a_master_that_was_killed_has_lost_nothing(tmp_path: Path) -> None:
    """Its log lies beside the store."""
    data = unpack("host/master.tar.xz", tmp_path) / "var/lib/sampan/master"
    assert (data / "store.db-wal").stat().st_size > (data / "store.db").stat().st_size
    store = await p.SqliteStore.open(data / "store.db")
    try:
        cache = await p.Cache.load(store, p.kinds.ALL)
        nodes = next(each for each in p.kinds.ALL if each.resource == "nodes")
        assert cache.get(nodes, "", "worker") is not None
    finally:
        await store.close()


async def test_the_backup_is_restored(tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar"
    archive.write_bytes(read("master/backup.tar.xz"))
    done = p.restore(archive, tmp_path / "data", force=False)
    assert done.cluster_id == RECORDED["keys"]["/meta/cluster-id"]
    assert done.revision > RECORDED["revision"]
    assert (tmp_path / "data/restored-master.toml").read_bytes() == read("master/master.toml")
    saved = unpack("master/data.tar.xz", tmp_path / "then") / "master/pki"
    for name in ("ca.crt", "ca.key", "admin.key", "server.key"):
        assert (tmp_path / "data/pki" / name).read_bytes() == (saved / name).read_bytes(), name
    store = await p.SqliteStore.open(tmp_path / "data/store.db")
    try:
        cache = await p.Cache.load(store, p.kinds.ALL)
        for kind in p.kinds.ALL:
            if kind.resource in KINDS and kind.resource != "events":
                names = {(each.namespace, each.name) for each in cache.entries(kind)}
                assert names == {name_of(item) for item in RECORDED["objects"][kind.resource]}, kind.resource
    finally:
        await store.close()


def name_of(item: dict[str, Any]) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def test_a_damaged_backup_of_then_is_still_refused(tmp_path: Path) -> None:
    """Its sums are checked, not only carried along."""
    content = bytearray(read("master/backup.tar.xz"))
    at = content.index(b"BEGIN CERTIFICATE")
    content[at + 40] ^= 1
    archive = tmp_path / "backup.tar"
    archive.write_bytes(content)
    with pytest.raises(Exception, match="does not have its recorded SHA-256"):
        p.restore(archive, tmp_path / "data", force=False)
