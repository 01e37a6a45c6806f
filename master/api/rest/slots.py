"""How many requests are worked on at once. One that waits for its client holds no place: nobody else waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from master.api.errors import TooManyRequests


class Slots:
    """Places for requests at work."""

    def __init__(self, limit: int, *, what: str, retry_after_s: int) -> None:
        self._limit = limit
        self._what = what
        self._retry_after_s = retry_after_s
        self._held = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """A place for one request. Raises TooManyRequests."""
        if self._held >= self._limit:
            raise TooManyRequests(
                f"too many {self._what} at once, please try again later", retry_after_s=self._retry_after_s
            )
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Gives the request's place to others while its client is to send something."""
        self._held -= 1
        try:
            yield
        finally:
            self._held += 1
