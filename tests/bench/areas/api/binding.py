"""The processor time of one binding without the disk: `bind` on the store in memory.

It runs in a process of its own, so that nothing of the client is in its memory. `python -m
tests.bench.areas.api.binding NUMBER` prints the median in microseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from statistics import median

import msgspec

from master import cluster_api, kinds
from master.api.identity import component
from master.cache import Cache
from master.kinds.core.namespace import Namespace
from master.kinds.core.node import Node
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.writes import bind
from master.store.memory import MemoryStore
from tests.bench.areas.api import pods

_CALLER = component("scheduler")


async def _measure(number: int) -> float:
    store = MemoryStore()
    resources = cluster_api.resources(store, await Cache.load(store, kinds.ALL), kinds.registry())
    namespace = msgspec.convert(pods.namespace(pods.NAMESPACE), Namespace)
    await resources.create(_CALLER, kinds.NAMESPACE, namespace)
    await resources.create(_CALLER, kinds.NODE, msgspec.convert(pods.node(), Node))
    names = [pods.pod_name(each).decode() for each in range(number)]
    text = json.dumps(pods.pod())
    for name in names:
        pod = msgspec.json.decode(text.replace(pods.NAME.decode(), name), type=Pod)
        await resources.create(_CALLER, kinds.POD, pod, namespace=pods.NAMESPACE)
    times = []
    for name in names:
        begin = time.thread_time_ns()
        await bind(resources, _CALLER, pods.NAMESPACE, name, pods.NODE.decode())
        times.append(time.thread_time_ns() - begin)
    return median(times) / 1e3


if __name__ == "__main__":
    print(asyncio.run(_measure(int(sys.argv[1]))))
