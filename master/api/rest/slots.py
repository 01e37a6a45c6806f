"""The limit of concurrent requests. A request that waits for its client's body does not count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from master.api.errors import TooManyRequests


class Slots:
    """Slots for requests in progress. `what` names them in the error message."""

    def __init__(self, limit: int, *, what: str, retry_after_s: int) -> None:
        self._limit = limit
        self._what = what
        self._retry_after_s = retry_after_s
        self.held = 0
        """Slots that are taken now."""

    def __enter__(self) -> None:
        """Holds a slot for one request. Raises TooManyRequests if all are taken."""
        if self.held >= self._limit:
            raise TooManyRequests(
                f"too many {self._what} at once, please try again later", retry_after_s=self._retry_after_s
            )
        self.held += 1

    def __exit__(self, *_: object) -> None:
        self.held -= 1

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Frees the request's slot while it waits for its client."""
        self.held -= 1
        try:
            yield
        finally:
            self.held += 1
