"""Traffic: how many requests of each sort were answered, with which code, and how long that took.

Every request is counted, so this keeps plain numbers; metrics.py makes a text of them on request.
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


_Sort = tuple[str, bool, str, str, str, str, str]


def sort_of(call: Call, *, streams: bool) -> _Sort:
    """The values of a `Sort`. A plain tuple, because it is made in a third of the time."""
    return call.http.method, streams, *call.route.labels


@dataclass(slots=True)
class Durations:
    """A histogram: how many requests took at most each of the bounds and more than the one before, and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0


class Traffic:
    """The counts of one server since it started."""

    def __init__(self) -> None:
        self._ended: dict[tuple[_Sort, int], Durations] = {}
        self._streams: dict[_Sort, int] = {}

    def count(self, sort: _Sort, code: int, seconds: float) -> None:
        """Counts a request that has ended. The client may leave a stream at any time: that is its usual end."""
        if code == CLIENT_LEFT and sort[1]:
            code = 200
        durations = self._ended.get((sort, code))
        if durations is None:
            durations = self._ended[sort, code] = Durations()
        durations.counts[bisect_left(BOUNDS_S, seconds)] += 1
        durations.sum_s += seconds

    @contextmanager
    def streaming(self, sort: _Sort) -> Iterator[None]:
        """Counts a stream as long as it is open."""
        self._streams[sort] = self._streams.get(sort, 0) + 1
        try:
            yield
        finally:
            self._streams[sort] -= 1

    def ended(self) -> Iterator[tuple[Sort, int, int]]:
        """The number of requests that have ended, by sort and code."""
        for (sort, code), durations in self._ended.items():
            yield Sort(*sort), code, sum(durations.counts)

    def durations(self) -> dict[Sort, Durations]:
        """How long requests took, with any code. Streams are left out: their clients decide about that."""
        found: dict[Sort, Durations] = {}
        for (values, _), durations in self._ended.items():
            sort = Sort(*values)
            if not sort.streams:
                total = found.setdefault(sort, Durations())
                total.counts = [before + more for before, more in zip(total.counts, durations.counts, strict=True)]
                total.sum_s += durations.sum_s
        return found

    def streams(self) -> Iterator[tuple[Sort, int]]:
        """The number of streams that are open now."""
        for sort, number in self._streams.items():
            yield Sort(*sort), number


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
