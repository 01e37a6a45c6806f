"""Interning: equal values of a field become one object, and what follows from the value alone is computed once.

Most pods are made from templates, so that their specs are the same text. An `Interner` keeps such values by the text
that they were read from, and what functions of the value returned: its defaults, the findings about it. All of these
are immutable, so any number of objects may share them.

A kind declares which field is interned, and calls the interner for functions that depend on nothing but the value. A
value that is not interned, such as one that admission has changed, is computed as if there were no interner.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, cast

from master.schema.checks import Findings

V = TypeVar("V")
R = TypeVar("R")

# Bytes of all texts. Decoded, and decoded again with its defaults, a value takes about eight times its text.
MAX_BYTES: Final = 1 << 20
# A longer text is not interned, because it would push out many others.
MAX_TEXT_BYTES: Final = 64 << 10
# Results for each value. A function with arguments that vary may return more; these are not kept.
_MAX_RESULTS: Final = 64
# Hashes of texts that came once. Only a value that comes again is interned, so that others cost no memory.
_MAX_HASHES: Final = 4096
_MISSING: Final = object()


@dataclass(slots=True)
class _Interned:
    """One text: its value and the values that were made from it; results by id of the value, function and arguments."""

    text: bytes
    values: list[Any]
    results: dict[tuple[Any, ...], Any] = field(default_factory=dict)


class Interner(Generic[V]):
    """The values of one field. Forgets the ones that were not used for the longest time."""

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._by_text: dict[bytes, _Interned] = {}
        # The values are kept alive by `_Interned`, so no other object has their ids.
        self._by_id: dict[int, _Interned] = {}
        self._seen: dict[int, None] = {}

    def __contains__(self, value: V) -> bool:
        """Whether a value is interned. An equal one is not."""
        return id(value) in self._by_id

    def find(self, text: bytes) -> V | None:
        """The value of a text, if it is interned."""
        interned = self._by_text.get(text)
        if interned is None:
            return None
        # The last one in the order of the dict is the one that was used last.
        del self._by_text[text]
        self._by_text[text] = interned
        return cast(V, interned.values[0])

    def offer(self, text: bytes, value: V) -> None:
        """Interns a value if its text has come before. No other text may mean something else than its value."""
        if len(text) > MAX_TEXT_BYTES or text in self._by_text:
            return
        seen = hash(text)
        if seen not in self._seen:
            self._seen[seen] = None
            if len(self._seen) > _MAX_HASHES:
                del self._seen[next(iter(self._seen))]
            return
        interned = self._by_text[text] = _Interned(text, [value])
        self._by_id[id(value)] = interned
        self._bytes += len(text)
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._by_text)))

    def _forget(self, text: bytes) -> None:
        interned = self._by_text.pop(text)
        self._bytes -= len(text)
        for value in interned.values:
            del self._by_id[id(value)]

    # -- functions of a value -------------------------------------------------------------------------------------

    def result(self, value: V, function: Callable[..., R], *arguments: Hashable) -> R:
        """What `function(value, *arguments)` returns, which must depend on them alone and be immutable."""
        interned = self._by_id.get(id(value))
        if interned is None:
            return function(value, *arguments)
        key = (id(value), function, *arguments)
        result: R = interned.results.get(key, _MISSING)
        if result is _MISSING:
            result = function(value, *arguments)
            if len(interned.results) < _MAX_RESULTS:
                interned.results[key] = result
        return result

    def changed(self, value: V, function: Callable[..., V], *arguments: Hashable) -> V:
        """Like `result`, for a function that returns another value of the field, which is interned as well."""
        interned = self._by_id.get(id(value))
        if interned is None:
            return function(value, *arguments)
        new: V | None = interned.results.get((id(value), function, *arguments))
        if new is not None:
            return new
        new = self.result(value, function, *arguments)
        if id(new) not in self._by_id and len(interned.results) < _MAX_RESULTS:
            interned.values.append(new)
            self._by_id[id(new)] = interned
        return new

    def check(self, value: V, at: str, check: Callable[[V, str, Findings], None], findings: Findings) -> None:
        """Calls `check(value, at, findings)`, or repeats the findings of an earlier call."""
        if value in self:
            findings.repeat(self.result(value, _found, check, at))
        else:
            check(value, at, findings)


def _found(value: V, check: Callable[[V, str, Findings], None], at: str) -> Findings:
    findings = Findings()
    check(value, at, findings)
    return findings
