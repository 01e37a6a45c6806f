"""Metrics: what the server has counted, as text for Prometheus (`/metrics`).

Names and labels are those of Kubernetes where the meaning is the same, so that its dashboards show them. What only this
server has begins with `sampan_`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from master.api.rest.slots import Slots
from master.api.rest.traffic import BOUNDS_S, Sort, Traffic
from master.cache import Cache

_LABELS: Final = ("verb", "group", "version", "resource", "subresource", "scope", "component")
_VERBS: Final = {"GET": "LIST", "HEAD": "LIST", "DELETE": "DELETECOLLECTION"}


class Metrics(Collector):
    """Makes the metrics when they are asked for. `requests` and `streams` are the slots of the server."""

    def __init__(self, traffic: Traffic, cache: Cache, requests: Slots, streams: Slots) -> None:
        self._traffic = traffic
        self._cache = cache
        self._requests = requests
        self._streams = streams
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def answer(self, accept: str) -> web.Response:
        """The response, in the format that the client accepts."""
        encode, media = choose_encoder(accept)
        return web.Response(body=encode(self._registry), headers={"Content-Type": media})

    def collect(self) -> Iterator[Metric]:
        """All metrics but those of the process."""
        yield self._ended()
        yield self._durations()
        yield self._open()
        inflight = GaugeMetricFamily("apiserver_current_inflight_requests", "Requests in progress.", labels=["kind"])
        inflight.add_metric(["requests"], self._requests.held)
        inflight.add_metric(["streams"], self._streams.held)
        yield inflight
        objects = GaugeMetricFamily("apiserver_resource_objects", "Stored objects.", labels=["group", "resource"])
        for resource in self._cache.kinds:
            objects.add_metric([resource.group, resource.plural], self._cache.count(resource))
        yield objects
        # Each commit that changes something gets the next revision.
        text = "Commits that the store has made in its life; the last one has this revision."
        yield CounterMetricFamily("sampan_store_commits", text, value=self._cache.revision)

    def _ended(self) -> Metric:
        family = CounterMetricFamily("apiserver_request", "Requests that have ended.", labels=[*_LABELS, "code"])
        for sort, code, number in self._traffic.ended():
            family.add_metric([*_labels(sort), str(code)], number)
        return family

    def _durations(self) -> Metric:
        text = "Time from the first byte of a request to the end of its response. Without streams."
        family = HistogramMetricFamily("apiserver_request_duration_seconds", text, labels=_LABELS)
        for sort, durations in self._traffic.durations().items():
            family.add_metric(_labels(sort), _buckets(durations.counts), durations.sum_s)
        return family

    def _open(self) -> Metric:
        text = "Streams that are open now, such as watches and followed logs."
        family = GaugeMetricFamily("apiserver_longrunning_requests", text, labels=_LABELS)
        for sort, number in self._traffic.streams():
            family.add_metric(_labels(sort), number)
        return family


def _buckets(counts: Iterable[int]) -> list[tuple[str, float]]:
    """The buckets of the format: each has all requests up to its bound."""
    return list(zip([*map(str, BOUNDS_S), "+Inf"], accumulate(counts), strict=True))


def _labels(sort: Sort) -> list[str]:
    return [_verb(sort), sort.group, sort.version, sort.resource, sort.subresource, sort.scope, "apiserver"]


def _verb(sort: Sort) -> str:
    """The verb as Kubernetes' metrics name it: a method, or what it means for a collection."""
    if sort.streams:
        return "CONNECT" if sort.scope == "resource" and sort.subresource else "WATCH"
    return sort.method if sort.scope == "resource" else _VERBS.get(sort.method, sort.method)
