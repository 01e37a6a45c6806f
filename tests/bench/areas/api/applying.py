"""The processor time of one server-side apply without the disk: it changes the image of a Deployment.

It takes the way of the request from its handler to the bytes of the response, on the store in memory, without HTTP.
It runs in a process of its own. `python -m tests.bench.areas.api.applying NUMBER` prints the median in microseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from statistics import median
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from master import cluster_api, kinds
from master.api.identity import component
from master.api.rest.bodies import Reader
from master.api.rest.call import Call
from master.api.rest.query import Query
from master.api.rest.reads import Reads
from master.api.rest.routes import resolve
from master.api.rest.slots import Slots
from master.api.rest.writes import Writes
from master.cache import Cache
from master.kinds.core.namespace import Namespace
from master.store.memory import MemoryStore
from tests.bench.areas.api import pods

_CALLER = component("bench")
_PATH = f"apis/apps/v1/namespaces/{pods.NAMESPACE}/deployments/orders"
_HEADERS = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}


def _deployment(image: str) -> bytes:
    """The configuration, as kubectl sends it: the pod of the area as the template."""
    pod = pods.pod()
    containers = pod["spec"]["containers"]
    template = {
        "metadata": {"labels": pod["metadata"]["labels"]},
        "spec": {**pod["spec"], "containers": [{**containers[0], "image": image}, *containers[1:]]},
    }
    spec: dict[str, Any] = {
        "replicas": 3,
        "selector": {"matchLabels": pod["metadata"]["labels"]},
        "template": template,
    }
    metadata = {"name": "orders", "namespace": pods.NAMESPACE, "labels": pod["metadata"]["labels"]}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    return json.dumps(body, separators=(",", ":")).encode()


class _Body(Reader):
    """A body that has arrived."""

    body: bytes

    async def read(self, request: web.BaseRequest, limit: int = 0) -> bytes:
        return self.body


async def _measure(number: int) -> float:
    store = MemoryStore()
    resources = cluster_api.resources(store, await Cache.load(store, kinds.ALL), kinds.registry())
    namespace = msgspec.convert(pods.namespace(pods.NAMESPACE), Namespace)
    await resources.create(_CALLER, kinds.NAMESPACE, namespace)
    reader = _Body(1.0, Slots(1, what="requests", retry_after_s=1))
    reads = Reads(resources.pipeline.authorizer, resources.cache, resources.clock)
    writes = Writes(resources.pipeline, resources.cache, reader, reads)
    http = make_mocked_request("PATCH", f"/{_PATH}", headers=_HEADERS)
    query = Query.of("fieldManager=bench&force=true")
    times = []
    for each in range(number + 1):
        _Body.body = _deployment(f"registry.example.com/orders:{each}")
        begin = time.thread_time_ns()
        call = Call(http, _CALLER, resolve(resources.registry, _PATH.split("/")), query)
        response = await writes.patch(call)
        times.append(time.thread_time_ns() - begin)
        assert response.status == (200 if each else 201)
    return median(times[1:]) / 1e3


if __name__ == "__main__":
    print(asyncio.run(_measure(int(sys.argv[1]))))
