"""Bodies on their way in: size, media type, JSON or YAML, and the typed object with warnings about unknown fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import yaml
from aiohttp import web

from master.api.errors import BadRequest, Cause, TooLarge, UnsupportedMediaType
from master.api.rest.duplicates import in_json
from master.api.rest.shapes import UnknownField, tidy

MAX_BODY_BYTES = 3 << 20
_JSON = ("application/json", "text/json")
_YAML = ("application/yaml", "application/x-yaml", "text/yaml")
# Of what is wrong with a body, this much is said: it travels in headers.
_MOST_SAID = 20
_LONGEST_SAID = 256
_AT = re.compile(r"(?s)(.*?)(?: - at `\$\.?(.*)`)?")
S = TypeVar("S", bound=msgspec.Struct)


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """YAML as JSON has it: a date stays text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


async def read(request: web.BaseRequest) -> bytes:
    """The whole body; TooLarge before more than the limit is in memory."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise _too_large()
    if request.headers.get("Expect", "").lower() == "100-continue":
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    parts: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        parts.append(chunk)
    return b"".join(parts)


def _too_large() -> TooLarge:
    return TooLarge(f"the body is larger than {MAX_BODY_BYTES >> 20} MiB; make the object smaller or split it")


def media_type(request: web.BaseRequest) -> str:
    """Without parameters; a missing one means JSON, as kubectl relies on."""
    said = request.headers.get("Content-Type", "")
    return said.partition(";")[0].strip().lower() or "application/json"


def parse(body: bytes, media: str) -> Any:
    """JSON or YAML as Python has it."""
    if media in _JSON or media == "application/octet-stream":
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise BadRequest(f"the body is no JSON: {error}") from error
        except RecursionError as error:
            raise BadRequest("the body is JSON that is nested too deeply") from error
    if media in _YAML:
        return _parse_yaml(body)
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format - accepted media types include: {', '.join(_JSON + _YAML)}"
        f"; this was {media}"
    )


def _parse_yaml(body: bytes) -> Any:
    try:
        # A few lines of aliases can stand for gigabytes.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(body, Loader=_Loader)):
            raise BadRequest("the body is YAML with aliases, which are not accepted")
        return yaml.load(body, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadRequest(f"the body is no YAML: {' '.join(str(error).split())}") from error


def doubled(body: bytes, media: str) -> list[str]:
    """A sentence for each key that the body gives more than once."""
    if media in _YAML:
        return _doubled_in_yaml(body)
    return in_json(body)


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
    tidied = tidy(value, model, unknown)
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
        raise _wrong_type(model, error) from error


def _shortened(sentences: Sequence[str]) -> list[str]:
    """As many as fit into headers."""
    said = [text if len(text) <= _LONGEST_SAID else f"{text[:_LONGEST_SAID]}..." for text in sentences[:_MOST_SAID]]
    return said if len(sentences) <= _MOST_SAID else [*said, f"and {len(sentences) - _MOST_SAID} more"]


def _wrong_type(model: type[Any], error: msgspec.ValidationError) -> BadRequest:
    match = _AT.fullmatch(str(error))
    what, path = (match[1], match[2] or "") if match else (str(error), "")
    return BadRequest(
        f"{model.__name__} cannot be handled: {path + ': ' if path else ''}{what}",
        causes=[Cause("FieldValueInvalid", what, path)],
    )
