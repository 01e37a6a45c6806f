"""Bodies on their way in: size, media type, JSON or YAML, and the typed object with warnings about unknown fields."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import yaml
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from master.api.errors import BadRequest, Cause, RequestTimeout, TooLarge, UnsupportedMediaType
from master.api.rest.duplicates import in_json
from master.api.rest.shapes import UnknownField, WrongType, tidy, wrong_type
from master.api.rest.slots import Slots

MAX_BODY_BYTES = 3 << 20
MAX_YAML_BYTES = 1 << 20
_JSON = ("application/json", "text/json")
_YAML = ("application/yaml", "application/x-yaml", "text/yaml")
# Of what is wrong with a body, this much is said: it travels in headers.
_MOST_SAID = 20
_LONGEST_SAID = 256
# No object nests anywhere near as deeply; what walks them later must not run out of stack.
_MAX_DEPTH = 100
S = TypeVar("S", bound=msgspec.Struct)


_TAG = "tag:yaml.org,2002:"
_LONGEST_NUMBER = 100


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """YAML as JSON has it: a date stays text, a key is text, and there are no sets, bytes and infinities."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        return {self._key(key): self.construct_object(inner, deep=deep) for key, inner in node.value}

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key must be text", node.start_mark)
        return str(node.value)

    def number(self, node: yaml.ScalarNode) -> int:
        # YAML counts in sixties too (1:30), which takes for ever when there are many of them.
        if len(node.value) > _LONGEST_NUMBER:
            raise yaml.constructor.ConstructorError(None, None, "found a number that is too long", node.start_mark)
        return int(self.construct_yaml_int(node))

    def finite(self, node: yaml.ScalarNode) -> float:
        value = float(self.construct_yaml_float(node)) if len(node.value) <= _LONGEST_NUMBER else math.inf
        if not math.isfinite(value):
            raise yaml.constructor.ConstructorError(None, None, "found a number that is not finite", node.start_mark)
        return value


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}
_Loader.yaml_constructors = {
    tag: construct
    for tag, construct in _Loader.yaml_constructors.items()
    if tag not in {f"{_TAG}{kind}" for kind in ("binary", "omap", "pairs", "set", "timestamp")}
}
_Loader.add_constructor(f"{_TAG}float", _Loader.finite)
_Loader.add_constructor(f"{_TAG}int", _Loader.number)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads bodies: how long a client may take, and whose place it lends while it takes it."""

    timeout_s: float
    slots: Slots

    async def read(self, request: web.BaseRequest, limit: int = MAX_BODY_BYTES) -> bytes:
        """The whole body. TooLarge before more than the limit is in memory; RequestTimeout; BadRequest."""
        coding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            raise UnsupportedMediaType(f"the body must not be compressed; it is {coding}")
        if (request.content_length or 0) > limit:
            raise _too_large(limit)
        try:
            with self.slots.lent():
                async with asyncio.timeout(self.timeout_s):
                    return await _whole(request, limit)
        except TimeoutError as error:
            raise RequestTimeout(f"the body was not there after {self.timeout_s:g} s") from error
        except (web.RequestPayloadError, HttpProcessingError) as error:
            raise BadRequest(f"the body is cut off or framed wrongly: {str(error).strip()}") from error


async def _whole(request: web.BaseRequest, limit: int) -> bytes:
    if request.headers.get("Expect", "").lower() == "100-continue":
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    parts: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        parts.append(chunk)
    return b"".join(parts)


def _too_large(limit: int) -> TooLarge:
    size = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit >> 10} KiB"
    return TooLarge(f"the body is larger than {size}; make the object smaller or split it")


def media_type(request: web.BaseRequest) -> str:
    """Without parameters; a missing one means JSON, as kubectl relies on."""
    said = request.headers.get("Content-Type", "")
    return said.partition(";")[0].strip().lower() or "application/json"


def parse(body: bytes, media: str) -> Any:
    """JSON or YAML as Python has it."""
    if media in _JSON or media == "application/octet-stream":
        try:
            value = msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise BadRequest(f"the body is no JSON: {error}") from error
        except UnicodeDecodeError as error:
            raise BadRequest(f"the body is no JSON: it is not UTF-8 at byte {error.start}") from error
        except RecursionError as error:
            raise _too_deep() from error
        if body.count(b"{") + body.count(b"[") > _MAX_DEPTH:
            _check_depth(value)
        return value
    if media in _YAML:
        return _parse_yaml(body)
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format - accepted media types include: {', '.join(_JSON + _YAML)}"
        f"; this was {media}"
    )


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> BadRequest:
    return BadRequest(f"the body is nested too deeply: more than {_MAX_DEPTH} levels")


def _parse_yaml(body: bytes) -> Any:
    try:
        depth = 0
        # Events come one by one, before anything is built of them: building recurses in C, without a limit.
        for event in yaml.parse(body, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                # A few lines of aliases can stand for gigabytes.
                raise BadRequest("the body is YAML with aliases, which are not accepted")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                raise _too_deep()
        return yaml.load(body, Loader=_Loader)
    except (yaml.YAMLError, ValueError, LookupError, RecursionError) as error:
        raise BadRequest(f"the body is no YAML: {' '.join(str(error).split())}") from error


async def understood(body: bytes, media: str, *, duplicates: bool) -> tuple[Any, list[str]]:
    """JSON or YAML as Python has it, and a sentence for each key that it gives more than once."""
    if media not in _YAML:
        return parse(body, media), in_json(body) if duplicates else []
    if len(body) > MAX_YAML_BYTES:
        raise _too_large(MAX_YAML_BYTES)
    # Reading YAML takes a second a megabyte: the others go on meanwhile.
    return await asyncio.to_thread(lambda: (parse(body, media), _doubled_in_yaml(body) if duplicates else []))


def _doubled_in_yaml(body: bytes) -> list[str]:
    found: list[str] = []
    nodes = [yaml.compose(body, Loader=_Loader)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, inner in node.value:
                nodes.append(inner)
                if isinstance(key, yaml.ScalarNode) and key.value in seen:
                    found.append(f'line {key.start_mark.line + 1}: key "{key.value}" already set in map')
                seen.add(str(key.value))
    return found


def typed(value: Any, model: type[S], field_validation: str, warnings: list[str], duplicates: Sequence[str] = ()) -> S:
    """The typed object. Unknown and duplicate fields: an error when `Strict`, warnings when `Warn`, else nothing."""
    if not isinstance(value, dict):
        raise BadRequest(f"expected an object of type {model.__name__}, got {type(value).__name__}")
    unknown: list[UnknownField] = []
    try:
        tidied = tidy(value, model, unknown)
    except WrongType as wrong:
        raise _refused(model, wrong) from wrong
    said = _shortened([*(str(field) for field in unknown), *duplicates])
    if said and field_validation == "Strict":
        raise BadRequest(
            f"{model.__name__} cannot be handled: strict decoding error: {', '.join(said)}",
            causes=[Cause("FieldValueInvalid", str(field), field.path) for field in unknown[:_MOST_SAID]],
        )
    if field_validation != "Ignore":
        warnings.extend(said)
    try:
        return msgspec.convert(tidied, model)
    except msgspec.ValidationError as error:
        raise _refused(model, wrong_type(tidied, model) or WrongType("", str(error))) from error


def _shortened(sentences: Sequence[str]) -> list[str]:
    """As many as fit into headers."""
    said = [text if len(text) <= _LONGEST_SAID else f"{text[:_LONGEST_SAID]}..." for text in sentences[:_MOST_SAID]]
    return said if len(sentences) <= _MOST_SAID else [*said, f"and {len(sentences) - _MOST_SAID} more"]


def _refused(model: type[Any], wrong: WrongType) -> BadRequest:
    path = wrong.path if len(wrong.path) <= _LONGEST_SAID else f"{wrong.path[:_LONGEST_SAID]}..."
    return BadRequest(
        f"{model.__name__} cannot be handled: {path + ': ' if path else ''}{wrong.what}",
        causes=[Cause("FieldValueInvalid", wrong.what, path)],
    )
