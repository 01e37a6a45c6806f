"""Traffic: how many requests of each sort were answered, with which code, and how long that took.

Every request is counted, so this keeps plain numbers; metrics.py makes a text of them when somebody reads it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from master.api.errors import ApiError
from master.api.rest.call import Call
from master.cache import NotServed

BOUNDS_S: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0),
    *(4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)
"""The upper bounds of the histogram's buckets in seconds: Kubernetes' own, and finer ones at the lower end."""
CLIENT_LEFT: Final = 499
"""The code of a request whose client disconnected before the response was complete."""


class Sort(NamedTuple):
    """What requests that are counted together have in common. `streams`: it lasts as long as the client wants."""

    method: str
    streams: bool
    group: str
    version: str
    resource: str
    subresource: str
    scope: str

    @classmethod
    def of(cls, call: Call, *, streams: bool) -> Sort:
        route = call.route
        scope = "resource" if route.name else "namespace" if route.namespace else "cluster"
        subresource = "" if route.subresource is None else route.subresource.name
        resource = route.resource
        return cls(call.http.method, streams, resource.group, route.version.name, resource.plural, subresource, scope)


@dataclass(slots=True)
class Durations:
    """A histogram: how many requests took at most each of the bounds and more than the one before, and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


class Traffic:
    """The counts of one server since it started."""

    def __init__(self) -> None:
        self.requests: dict[tuple[Sort, int], int] = {}
        """Requests that have ended, by sort and code."""
        self.durations: dict[Sort, Durations] = {}
        """How long the requests took that do not stream."""
        self.streams: dict[Sort, int] = {}
        """Streams that are open now."""

    def count(self, sort: Sort, code: int, seconds: float) -> None:
        """Counts a request that has ended. The client may leave a stream at any time: that is its usual end."""
        if sort.streams and code == CLIENT_LEFT:
            code = 200
        key = sort, code
        self.requests[key] = self.requests.get(key, 0) + 1
        if sort.streams:
            return
        durations = self.durations.get(sort)
        if durations is None:
            durations = self.durations[sort] = Durations()
        durations.add(seconds)

    @contextmanager
    def streaming(self, sort: Sort) -> Iterator[None]:
        """Counts a stream as long as it is open."""
        self.streams[sort] = self.streams.get(sort, 0) + 1
        try:
            yield
        finally:
            self.streams[sort] -= 1


def code_of(error: BaseException) -> int:
    """The code with which a request ends that raised this."""
    if isinstance(error, ApiError):
        return error.code
    if isinstance(error, NotServed):
        return 404
    if isinstance(error, Exception) and not isinstance(error, ConnectionError):
        return 500
    # A ConnectionError, or the cancellation of the handler.
    return CLIENT_LEFT
