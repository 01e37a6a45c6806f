"""The processor time of one binding without the disk: `Resources.bind` on the store in memory.

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

from master import kinds
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Cache
from master.store.memory import MemoryStore
from tests.bench.areas.api import pods

_CALLER = component("scheduler")


async def _measure(number: int) -> float:
    store = MemoryStore()
    resources = Resources(store, await Cache.load(store, kinds.ALL))
    namespace = msgspec.convert(pods.namespace(pods.NAMESPACE), kinds.NAMESPACE.model)
    await resources.create(_CALLER, kinds.NAMESPACE, namespace)
    await resources.create(_CALLER, kinds.NODE, msgspec.convert(pods.node(), kinds.NODE.model))
    names = [pods.pod_name(each).decode() for each in range(number)]
    text = json.dumps(pods.pod())
    for name in names:
        pod = msgspec.json.decode(text.replace(pods.NAME.decode(), name), type=kinds.POD.model)
        await resources.create(_CALLER, kinds.POD, pod, namespace=pods.NAMESPACE)
    times = []
    for name in names:
        begin = time.thread_time_ns()
        await resources.bind(_CALLER, pods.NAMESPACE, name, pods.NODE.decode())
        times.append(time.thread_time_ns() - begin)
    return median(times) / 1e3


if __name__ == "__main__":
    print(asyncio.run(_measure(int(sys.argv[1]))))
