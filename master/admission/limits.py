"""The rules of LimitRanges: which amounts a container gets, and which amounts break a limit. Pure functions.

The messages are those of Kubernetes (plugin/pkg/admission/limitranger).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from master.schema.quantity import MAX, bytes_of, millis_of

Amounts = Mapping[str, str]
_Pairs = tuple[tuple[str, str], ...]
_MAX_IN_MILLIS = MAX // 1000


@dataclass(frozen=True, slots=True)
class Limit:
    """An item of a LimitRange: the limits for containers, pods or claims, by resource in the order of the names."""

    type: str
    least: _Pairs = ()
    most: _Pairs = ()
    limits: _Pairs = ()
    requests: _Pairs = ()
    ratios: _Pairs = ()

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Limit:
        names = ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")
        return cls(item.get("type", ""), *(tuple(sorted((item.get(name) or {}).items())) for name in names))


def violations(limit: Limit, requests: Amounts, limits: Amounts) -> Iterator[str]:
    """What breaks the limit. Both lists must have quantities only."""
    yield from _broken(limit.type, limit.least, requests, limits, _below)
    yield from _broken(limit.type, limit.most, requests, limits, _above)
    yield from _broken(limit.type, limit.ratios, requests, limits, _ratio)


def violations_of_claim(limit: Limit, requests: Amounts) -> Iterator[str]:
    """What of a claim's requests breaks the limit. A claim has no limits of its own that count."""
    yield from _broken(limit.type, limit.least, requests, {}, _below)
    yield from _broken(limit.type, limit.most, requests, requests, _above_request)


# The arguments: the type of the limit, the resource, its limit, and the request and the limit that were given, if any.
_Check = Callable[[str, str, str, str | None, str | None], str]


def _broken(type_: str, bounds: _Pairs, requests: Amounts, limits: Amounts, check: _Check) -> Iterator[str]:
    for resource, bound in bounds:
        if message := check(type_, resource, bound, requests.get(resource), limits.get(resource)):
            yield message


def _below(type_: str, resource: str, least: str, request: str | None, limit: str | None) -> str:
    rule = f"minimum {resource} usage per {type_} is {least}"
    amounts = _comparable(request, limit, least)
    if request is None:
        return f"{rule}.  No request is specified"
    if amounts[0] < amounts[2]:
        return f"{rule}, but request is {request}"
    return f"{rule}, but limit is {limit}" if limit is not None and amounts[1] < amounts[2] else ""


def _above(type_: str, resource: str, most: str, request: str | None, limit: str | None) -> str:
    rule = f"maximum {resource} usage per {type_} is {most}"
    amounts = _comparable(request, limit, most)
    if limit is None:
        return f"{rule}.  No limit is specified"
    if amounts[1] > amounts[2]:
        return f"{rule}, but limit is {limit}"
    return f"{rule}, but request is {request}" if request is not None and amounts[0] > amounts[2] else ""


def _above_request(type_: str, resource: str, most: str, request: str | None, limit: str | None) -> str:
    rule = f"maximum {resource} usage per {type_} is {most}"
    amounts = _comparable(request, None, most)
    if request is None:
        return f"{rule}.  No request is specified"
    return f"{rule}, but request is {request}" if amounts[0] > amounts[2] else ""


def _ratio(type_: str, resource: str, most: str, request: str | None, limit: str | None) -> str:
    rule = f"{resource} max limit to request ratio per {type_} is {most}"
    requested, limited, _ = _comparable(request, limit, most)
    if not requested:
        return f"{rule}, but no request is specified or request is 0"
    if not limited:
        return f"{rule}, but no limit is specified or limit is 0"
    ratio = limited / requested
    in_millis = bytes_of(most) <= _MAX_IN_MILLIS
    exceeded = ratio * 1000 > millis_of(most) if in_millis else ratio > bytes_of(most)
    return f"{rule}, but provided ratio is {ratio:f}" if exceeded else ""


def _comparable(*amounts: str | None) -> tuple[int, ...]:
    """The amounts in thousandths, or in whole units if one of them is too large. A missing one is 0."""
    given = [amount or "0" for amount in amounts]
    precise = all(bytes_of(amount) <= _MAX_IN_MILLIS for amount in given)
    return tuple(millis_of(amount) if precise else bytes_of(amount) for amount in given)
