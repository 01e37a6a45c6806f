"""The area `api`: how fast and how small the API is, measured from outside on a real master, and what nothing beats.

One run, TLS with client certificates as the real API has it, commits that are durable on the real disk, and nothing of
the master switched off. Master, floor and client are a process each, on loopback. The pods name another scheduler
(pods.py), so that the API is measured, as with kube-apiserver alone.

- `get_ratio`: GETs of one pod per second, 16 clients that keep their connections, divided by those of the floor: a
  trivial handler on the same HTTP stack that answers with the same bytes (floor.py).
- `create_ratio`, `create_p99_ratio`: creates of pods per second, 64 clients, divided by those of the floor, which
  decodes the body and commits it durably in the same group commits; and the 99th percentiles of their times. All
  pods have the same spec, as those of a template have. `create_distinct_ratio`: the same with specs that all differ.
- `create_beside_deletion`: creates per second while a namespace of 10,000 pods is being deleted, divided by those
  before and after it.
- `list10k_ratio`: the time of a list of 10,000 pods, divided by that of the floor, which streams the same bytes.
- `list_node_ms`, `list_label_ms`, `table500_ms`: of 10,000 pods, the 100 of one node, the 1,000 with a label, and a
  Table with limit=500; medians of 20, one after the other.
- `openapi_ms`, `openapi_v2_ms`: OpenAPI v3 of the core group and v2 of all kinds, from a warm server (documents.py).
- `lists16_mb`: growth of the peak of the master's resident memory by 16 lists of 50,000 pods at once (biglists.py).
- `watch_us`, `fanout_p99_ms`: 1,000 watchers (watches.py).
- `idle_mb`: resident memory of a master with an empty store. `kb_per_pod`: growth of it by 100,000 pods, measured after
  a restart, divided by their number.
- `start_10k_s`, `start_100k_s`: from the start of the process until /readyz answers ok, with so many pods in the store.
- `bind_us`: processor time of one binding without the disk (binding.py).
- `apply_us`: processor time of one server-side apply that changes one field of a Deployment, without the disk
  (applying.py).
- `protobuf_ratio`: the time of decoding a pod from protobuf, divided by that from JSON (protobuf.py).

Rounds of the floor and of the master alternate. A ratio is the median of the ratios of neighbouring rounds.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from tests.bench.areas.api import biglists, deletion, documents, lists, protobuf, servers, single, watches
from tests.bench.areas.api.bench import Bench, figure, note, workplace
from tests.bench.areas.api.servers import Server
from tests.bench.areas.api.sizes import FULL, Sizes
from tests.bench.areas.api.stored import Templates
from tests.bench.figure import Figure
from tests.bench.lab import ROOT


def measure(sizes: Sizes = FULL) -> Iterator[Figure]:
    with workplace(sizes) as bench:
        templates: list[Templates] = []
        idle_mb = 0.0
        for each in single.measure(bench, templates):
            idle_mb = each.value if each.name == "idle_mb" else idle_mb
            yield each
        yield from _few(bench, templates[0])
        yield from _many(bench, templates[0], idle_mb)
    yield figure("bind_us", _median_us("binding", sizes.bindings), "us", 60.0)
    yield figure("apply_us", _median_us("applying", sizes.applies), "us", 400.0)
    yield figure("protobuf_ratio", protobuf.ratio(), "x", 12.0)


def _few(bench: Bench, templates: Templates) -> Iterator[Figure]:
    few = bench.sizes.few_pods
    bench.fill(templates.spaces(), empty=True)
    bench.fill(templates.placed_pods(range(few)), empty=False)
    yield figure("start_10k_s", _start_s(bench), "s", 1.0)
    with bench.master() as server:
        yield from lists.measure(bench, server)
        yield from documents.measure(bench, server)
        yield from watches.measure(bench, server)
    bench.fill(templates.waiting_pods(range(few)), empty=False)
    with bench.master() as server:
        yield deletion.measure(bench, server)


def _many(bench: Bench, templates: Templates, idle_mb: float) -> Iterator[Figure]:
    sizes = bench.sizes
    bench.fill(templates.spaces(), empty=True)
    bench.fill(templates.placed_pods(range(sizes.big_list_pods)), empty=False)
    with bench.master() as server:
        grown = bench.run(biglists.grown_mb(server, sizes.big_lists, sizes.big_list_pods))
        yield figure("lists16_mb", grown, "MB", 60.0)
    bench.fill(templates.placed_pods(range(sizes.big_list_pods, sizes.many_pods)), empty=False)
    with bench.master() as server:
        _note_start(server)
        yield figure("start_100k_s", server.started_s, "s", 6.0)
        grown = bench.settled_mb(server) - idle_mb
        yield figure("kb_per_pod", 1e3 * grown / sizes.many_pods, "KB", 5.0)


def _start_s(bench: Bench) -> float:
    times = []
    for _ in range(bench.sizes.starts):
        with servers.master(bench.directory) as server:
            times.append(server.started_s)
            _note_start(server)
    return median(times)


def _note_start(server: Server) -> None:
    note(f"start in {server.started_s:.2f} s with {server.started_cpu_s:.2f} s of processor time")


def _median_us(module: str, number: int) -> float:
    """The result of a module of this area that measures in a process of its own."""
    command = [sys.executable, "-m", f"tests.bench.areas.api.{module}", str(number)]
    return float(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout)
