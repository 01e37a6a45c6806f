"""Reads YAML as kubectl and the Kubernetes API do: text that people write becomes JSON values.

The rules are those of YAML 1.1 as Go's yaml.v2 and sigs.k8s.io/yaml apply them: `yes`, `on` and `y` are booleans,
`0644` is octal, dates and `12:30:45` are text, and keys become text. PyYAML has other rules, so only its parser is
used: the values are built from its events, in one pass and without recursion. Nothing here does I/O.
"""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import yaml

# Real objects are not nested nearly as deeply. Recursive functions must not exceed the stack.
MAX_DEPTH: Final = 100
# What all aliases of a document may add to it: the characters of their text, and a fixed amount for each value.
MAX_EXPANSION: Final = 1 << 20
_VALUE_SIZE: Final = 16
# Digits of a 64-bit number in binary notation.
_MAX_DIGITS: Final = 64
_MAX_INT: Final = (1 << 63) - 1
_MIN_INT: Final = -(1 << 63)
_MAX_UINT: Final = (1 << 64) - 1
# Decimal integers with fewer characters have less than 64 bits.
_SAFE_LENGTH: Final = 19
# Smaller integers are exact as floats.
_EXACT: Final = 1 << 53

_TAG: Final = "tag:yaml.org,2002:"
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
# The first characters of everything that is not simply text.
_SPECIAL: Final = frozenset("0123456789+-.yYnNtTfFoO~")
_INT: Final = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))", re.ASCII)
_BASES: Final = (16, 2, 8, 10)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
# A number that begins with its point may have an underscore between two digits only.
_FRACTION: Final = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?", re.ASCII)


class BadYaml(ValueError):
    """The text is not YAML, or has something that JSON lacks. `line` and `column` count from 1; 0 is unknown."""

    def __init__(self, problem: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"line {line}, column {column}: {problem}" if line else problem)
        self.problem = problem
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Document:
    """One document. `duplicates` has a sentence about each key that its mapping has already, in the API's words."""

    value: Any
    duplicates: list[str] = field(default_factory=list)


def documents(text: str | bytes) -> Iterator[Document]:
    """The documents of a text, empty ones with the value None. Bytes are UTF-8, or UTF-16 with a byte order mark.

    Of equal keys the last one counts. Raises BadYaml.
    """
    try:
        # The parser of C gives the position of an error in bytes.
        content = text.encode() if isinstance(text, str) else text
        events = getattr(yaml, "CBaseLoader", yaml.BaseLoader)(content)
    except UnicodeEncodeError as error:
        raise BadYaml(f"the text has a character that does not exist: {error.reason}") from error
    except yaml.reader.ReaderError as error:
        raise _unreadable(error, content) from error
    try:
        while not isinstance(event := events.get_event(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                yield _Builder(events).build()
    except yaml.reader.ReaderError as error:
        raise _unreadable(error, content) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "unknown problem"
        raise BadYaml(problem, *((mark.line + 1, mark.column + 1) if mark else ())) from error


def document(text: str | bytes) -> Document:
    """The only document of a text; empty ones after it do not count. Raises BadYaml."""
    every = list(documents(text))
    if any(further.value is not None for further in every[1:]):
        raise BadYaml("expected a single document, but there is another one")
    return every[0] if every else Document(None)


def json_integer(text: str) -> int | float:
    """An integer of JSON as Kubernetes reads it: a float if it has more than 64 bits."""
    return int(text) if len(text) < _SAFE_LENGTH or _MIN_INT <= int(text) <= _MAX_INT else json_float(text)


def json_float(text: str) -> int | float:
    """A fraction of JSON as Kubernetes reads it: an integer if it is whole and has at most 64 bits.

    So `1.0` and `1e3` fit fields that are integers. Raises ValueError for what JSON lacks.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"JSON has no number {text}")
    return _whole(number)


def _whole(number: float) -> int | float:
    if not number.is_integer() or abs(number) > _MAX_INT:
        return number
    # A large integer gets the digits of the shortest text for the number, which is what Go writes.
    whole = int(number) if abs(number) < _EXACT else int(Decimal(repr(number)))
    return whole if _MIN_INT <= whole <= _MAX_INT else number


def _unreadable(error: yaml.reader.ReaderError, content: bytes) -> BadYaml:
    before = content[: error.position]
    return BadYaml(str(error.reason), before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))


class _Frame:
    """A mapping or sequence whose end has not been read. `key` is the key of a mapping's next value; `key_is_text` says
    whether it was text before it became a key.
    """

    __slots__ = ("anchor", "key", "key_is_text", "line", "value")

    def __init__(self, value: dict[str, Any] | list[Any], anchor: str | None, line: int) -> None:
        self.value = value
        self.anchor = anchor
        self.line = line
        self.key: Any = _NO_KEY
        self.key_is_text = True


_NO_KEY: Final = object()
_MERGE: Final = object()
_UNFINISHED: Final = object()


class _Builder:
    """Builds the value of one document from the parser's events."""

    def __init__(self, events: Any) -> None:
        self._next = events.get_event
        self._event: Any = None
        self._frames: list[_Frame] = []
        self._anchors: dict[str, Any] = {}
        self._expansion = 0
        self._duplicates: list[str] = []

    def build(self) -> Document:
        frames = self._frames
        while True:
            self._event = event = self._next()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                value, line = self._scalar(event), event.start_mark.line + 1
                if event.anchor is not None:
                    self._anchors[event.anchor] = value
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._open({} if kind is yaml.MappingStartEvent else [], event.anchor)
                continue
            elif kind is yaml.AliasEvent:
                value, line = self._aliased(event.anchor), event.start_mark.line + 1
            else:
                frame = frames.pop()
                value, line = frame.value, frame.line
                if frame.anchor is not None:
                    self._anchors[frame.anchor] = value
            if not frames:
                # The end of the document.
                self._next()
                return Document(self._value(value), self._duplicates)
            self._add(frames[-1], value, line)

    def _error(self, problem: str) -> BadYaml:
        mark = self._event.start_mark
        return BadYaml(problem, mark.line + 1, mark.column + 1)

    def _open(self, value: dict[str, Any] | list[Any], anchor: str | None) -> None:
        if len(self._frames) == MAX_DEPTH:
            raise self._error(f"nested too deeply: more than {MAX_DEPTH} levels")
        if self._frames:
            frame = self._frames[-1]
            if type(frame.value) is dict and frame.key is _NO_KEY:
                raise self._error("a key must be text")
        if anchor is not None:
            self._anchors[anchor] = _UNFINISHED
        self._frames.append(_Frame(value, anchor, self._event.start_mark.line + 1))

    def _add(self, frame: _Frame, value: Any, line: int) -> None:
        """Adds a finished value, which may be a key, to the innermost mapping or sequence."""
        holder = frame.value
        if isinstance(holder, list):
            holder.append(self._value(value))
        elif frame.key is _NO_KEY:
            event = self._event
            if type(event) is yaml.ScalarEvent and value == "<<" and (event.implicit[0] or event.tag == f"{_TAG}merge"):
                frame.key = _MERGE
            else:
                frame.key_is_text = type(value) is str
                frame.key = value if frame.key_is_text else self._key(value)
        elif frame.key is _MERGE:
            frame.key = _NO_KEY
            self._merge(holder, value, line)
        else:
            key, frame.key = frame.key, _NO_KEY
            if key in holder:
                self._duplicate(f'"{key}"' if frame.key_is_text else key, line)
            holder[key] = self._value(value)

    def _duplicate(self, key: str, line: int) -> None:
        self._duplicates.append(f"line {line}: key {key} already set in map")

    def _merge(self, mapping: dict[str, Any], value: Any, line: int) -> None:
        # Of several mappings, earlier ones count more. All of them replace keys that are in the mapping already.
        merged = value if type(value) is list and type(self._event) is not yaml.AliasEvent else [value]
        if not all(type(each) is dict for each in merged):
            raise self._error("<< needs a mapping or a sequence of mappings")
        for each in reversed(merged):
            for key, inner in each.items():
                if key in mapping:
                    self._duplicate(f'"{key}"', line)
                mapping[key] = inner

    def _scalar(self, event: Any) -> Any:
        """A text, boolean, number or null. Numbers may have values that JSON lacks, because keys may have them."""
        text: str = event.value
        if event.tag is None:
            if not event.implicit[0] or (text and text[0] not in _SPECIAL):
                return text
            return plain(text)
        if event.tag == f"{_TAG}binary":
            return self._binary(text)
        kind = event.tag.removeprefix(_TAG)
        if kind not in _FITS or kind == event.tag:
            return text
        value = plain(text)
        if type(value) not in _FITS[kind]:
            raise self._error(f"!!{kind} is followed by another kind of value")
        return float(value) if kind == "float" else value

    def _binary(self, text: str) -> str:
        encoded = text.replace("\r", "").replace("\n", "")
        try:
            # Python accepts more padding than is needed.
            if len(encoded) % 4 == 0:
                return base64.b64decode(encoded, validate=True).decode(errors="replace")
        except ValueError:
            pass
        raise self._error("!!binary is followed by text that is not base64")

    def _value(self, value: Any) -> Any:
        """A scalar as a value of JSON."""
        if type(value) is float:
            if not math.isfinite(value):
                raise self._error("JSON has no number that is not finite")
            return _whole(value)
        if type(value) is int and not _MIN_INT <= value <= _MAX_INT:
            return float(value)
        return value

    def _key(self, key: Any) -> str:
        """A scalar as a key of JSON."""
        if type(key) is bool:
            return "true" if key else "false"
        if type(key) is int and _MIN_INT <= key <= _MAX_INT:
            return str(key)
        if type(key) is float:
            return _float_key(key)
        raise self._error("a key must be text")

    def _aliased(self, anchor: str) -> Any:
        """A copy of the value with the anchor. A few lines with aliases can expand to gigabytes, so it is limited."""
        if anchor not in self._anchors:
            raise self._error(f"no value before this place has the anchor {anchor}")
        return self._copy(self._anchors[anchor], len(self._frames))

    def _copy(self, value: Any, depth: int) -> Any:
        if value is _UNFINISHED:
            raise self._error("the value with this anchor contains itself")
        self._expansion += _VALUE_SIZE + (len(value) if type(value) is str else 0)
        if self._expansion > MAX_EXPANSION:
            raise self._error(f"the aliases of the document expand to more than {MAX_EXPANSION >> 20} MiB")
        if not isinstance(value, dict | list):
            return value
        if depth == MAX_DEPTH:
            raise self._error(f"nested too deeply: more than {MAX_DEPTH} levels")
        if isinstance(value, list):
            return [self._copy(inner, depth + 1) for inner in value]
        self._expansion += sum(map(len, value))
        return {key: self._copy(inner, depth + 1) for key, inner in value.items()}


def plain(text: str) -> Any:
    """The value of a plain scalar: None, a boolean, an int of up to 64 bits, any float, or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first == ".":
        return _float(text.replace("_", ""), text) if _FRACTION.fullmatch(text) else text
    if first not in "0123456789+-":
        return text
    plain = text.replace("_", "") if "_" in text else text
    if match := _INT.fullmatch(plain):
        sign, *digits = match.groups()
        for base, number in zip(_BASES, digits, strict=True):
            significant = number.lstrip("0") if number else None
            if significant is not None and len(significant) <= _MAX_DIGITS:
                value = int(significant or "0", base)
                value = -value if sign == "-" else value
                if _MIN_INT <= value <= (_MAX_INT if sign else _MAX_UINT):
                    return value
    return _float(plain, text) if _FLOAT.fullmatch(plain) else text


def _float(plain: str, text: str) -> float | str:
    value = float(plain)
    # A number that is too large for a float stays text.
    return text if math.isinf(value) else value


# Tags that demand a kind of scalar, and the types that fit. Scalars with other tags are text.
_FITS: Final = {
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "null": (type(None),),
}


def _float_key(number: float) -> str:
    """A number as a key, in the form of sigs.k8s.io/yaml: the shortest text that is the same number in 32 bits."""
    if math.isnan(number):
        return ".nan"
    try:
        single = struct.unpack("f", struct.pack("f", number))[0]
    except OverflowError:
        single = math.copysign(math.inf, number)
    if math.isinf(single):
        return ".inf" if single > 0 else "-.inf"
    shortest = next(
        text
        for text in (f"{single:.{digits}e}" for digits in range(9))
        if struct.unpack("f", struct.pack("f", float(text)))[0] == single
    )
    mantissa, _, exponent = shortest.partition("e")
    if -4 <= int(exponent) < 6:
        digits = len(mantissa.lstrip("-").replace(".", ""))
        return f"{float(shortest):.{max(digits - 1 - int(exponent), 0)}f}"
    return shortest
