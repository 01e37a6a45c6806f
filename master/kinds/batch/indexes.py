"""Lists of indexes of an indexed job, such as `0,2-4`."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

_NUMBER: Final = re.compile(r"[+]?[0-9]{1,18}", re.ASCII)


def parse_indexes(text: str, completions: int) -> list[range]:
    """The indexes as ranges, in ascending order. Raises ValueError for other text and for too large an index."""
    found: list[range] = []
    for interval in text.split(",") if text else ():
        first, *others = interval.split("-")
        if len(others) > 1:
            raise ValueError(f'the fragment "{interval}" has more than two parts separated by "-"')
        begin = _index(first, completions)
        end = _index(others[0], completions) if others else begin
        if others and begin >= end:
            raise ValueError(f"non-increasing order, previous: {begin}, current: {end}")
        if found and found[-1].stop - 1 >= begin:
            raise ValueError(f"non-increasing order, previous: {found[-1].stop - 1}, current: {begin}")
        found.append(range(begin, end + 1))
    return found


def _index(text: str, completions: int) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f'cannot convert string to integer for index: "{text}"')
    number = int(text)
    if number >= completions:
        raise ValueError(f'too large index: "{text}"')
    return number


def overlap(first: list[range], second: list[range]) -> bool:
    """Whether an index is in both lists."""
    ordered = sorted((*first, *second), key=lambda part: part.start)
    return any(before.stop > after.start for before, after in pairwise(ordered))
