"""Numbers of the downward API, which variables and files of volumes show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResourceField:
    """A request or limit of a container, in units of the divisor (millicores or bytes), rounded up.

    Amount None: a limit that the container does not have. With a `problem` there is no value.
    """

    resource: str
    divisor: int
    amount: int | None = None
    problem: str = ""
