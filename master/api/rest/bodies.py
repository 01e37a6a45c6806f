"""Request bodies: limits, media types, JSON and YAML, and the typed object with warnings about unknown fields."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from client import yamltext
from master.api.errors import BadRequest, RequestTimeout, TooLarge, UnsupportedMediaType
from master.api.rest.duplicates import in_json
from master.api.rest.slots import Slots
from master.schema.cause import Cause
from master.schema.depth import MAX_DEPTH, too_deep
from master.schema.plain import keys_are_unique
from master.schema.protobuf.frame import MEDIA_TYPE
from master.schema.pruning import UnknownField, WrongType
from master.schema.schema import Schema

MAX_BODY_BYTES = 3 << 20
MAX_YAML_BYTES = 1 << 20
_JSON = ("application/json", "text/json", "application/octet-stream")
_YAML = ("application/yaml", "application/x-yaml", "text/yaml")
APPLY = "application/apply-patch+yaml"
"""The media type of a server-side apply, in YAML or JSON. applies.py reads it."""
TEXT_TYPES = (*_JSON[:2], *_YAML)
"""The media types that all bodies may have, as messages name them. Most may also be protobuf (protobufs.py)."""
# Limits of the warnings about a body, which are sent in headers: their number, and the characters of each.
_MAX_WARNINGS = 20
_MAX_WARNING_LENGTH = 256
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads bodies. A client may take `timeout_s`; meanwhile the request's slot is free for others."""

    timeout_s: float
    slots: Slots

    async def read(self, request: web.BaseRequest, limit: int = MAX_BODY_BYTES) -> bytes:
        """The whole body. Raises TooLarge (before more than `limit` bytes are in memory), RequestTimeout, BadRequest,
        UnsupportedMediaType.
        """
        coding = request.headers.get("Content-Encoding", "")
        if coding.strip().lower() not in ("", "identity"):
            raise UnsupportedMediaType(f"the body must not be compressed; it is {coding}")
        if (request.content_length or 0) > limit:
            raise _too_large(limit)
        if request.content.is_eof() and request.content.exception() is None:
            # The body has arrived already, as that of most small requests.
            body = request.content.read_nowait()
            if len(body) > limit:
                raise _too_large(limit)
            return body
        try:
            with self.slots.lent():
                async with asyncio.timeout(self.timeout_s):
                    return await _read(request, limit)
        except TimeoutError as error:
            raise RequestTimeout(f"the body was not complete after {self.timeout_s:g} s") from error
        except (web.RequestPayloadError, HttpProcessingError) as error:
            raise BadRequest(f"the body is incomplete or malformed: {str(error).strip()}") from error


async def _read(request: web.BaseRequest, limit: int) -> bytes:
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
    """The media type of the body, without parameters. The default is JSON, on which kubectl relies."""
    header = request.headers.get("Content-Type", "")
    return header.partition(";")[0].strip().lower() or "application/json"


def parse(body: bytes) -> Any:
    """JSON as Python values. Raises BadRequest."""
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not JSON: it is not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise _too_deep() from error
    if _may_be_deep(body) and too_deep(value):
        raise _too_deep()
    return value


def _may_be_deep(text: bytes) -> bool:
    return text.count(b"{") + text.count(b"[") > MAX_DEPTH


def _too_deep() -> BadRequest:
    return BadRequest(f"the body is nested too deeply: more than {MAX_DEPTH} levels")


def _parse_yaml(body: bytes) -> yamltext.Document:
    try:
        return yamltext.document(body)
    except yamltext.BadYaml as error:
        raise BadRequest(f"the body is not YAML: {error}") from error


class Document:
    """A body. `text` is its JSON, None if it was YAML."""

    def __init__(self, text: bytes | None, value: Any = None, *, doubled: Sequence[str] = ()) -> None:
        """`value`: the Python values of YAML. `doubled`: sentences about its keys."""
        self.text = text
        self._value = value
        self._doubled = doubled

    @property
    def value(self) -> Any:
        """The body as Python values. Raises BadRequest if it is not JSON."""
        if self.text is not None and self._value is None:
            self._value = parse(self.text)
        return self._value

    def check_depth(self) -> None:
        """Raises BadRequest if JSON is nested too deeply."""
        if self.text is not None and _may_be_deep(self.text):
            self._value = parse(self.text)

    def duplicates(self) -> Sequence[str]:
        """A sentence about each duplicate key."""
        if self.text is None:
            return self._doubled
        # Where a key may have been dropped, the keys are compared.
        return () if keys_are_unique(self.text, self.value) else in_json(self.text)


async def decode(body: bytes, media: str) -> Document:
    """A document of JSON or YAML. Raises BadRequest, TooLarge, UnsupportedMediaType."""
    if media in _JSON:
        return Document(body)
    if media not in _YAML:
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: "
            f"{', '.join((*TEXT_TYPES, MEDIA_TYPE))}; this was {media}"
        )
    if len(body) > MAX_YAML_BYTES:
        raise _too_large(MAX_YAML_BYTES)
    # Reading YAML takes about a sixth of a second per megabyte, so it happens in a thread.
    document = await asyncio.to_thread(_parse_yaml, body)
    return Document(None, document.value, doubled=document.duplicates)


def plain(document: Document, schema: Schema[T]) -> T | None:
    """The object of a body that has nothing unusual. None if a closer look is needed. Raises BadRequest."""
    if document.text is None:
        return None
    document.check_depth()
    return schema.read_plain(document.text)


def read(
    document: Document, schema: Schema[Any], served: tuple[str, str], field_validation: str, warnings: list[str]
) -> Any:
    """The object of a document. `served`: its kind and apiVersion. Raises BadRequest; see `typed`."""
    obj = plain(document, schema)
    if obj is None:
        check_type(document.value, *served)
        return typed(document.value, schema, field_validation, warnings, document)
    check_type({"kind": obj.kind, "apiVersion": obj.api_version}, *served)
    return obj


def typed(value: Any, schema: Schema[T], field_validation: str, warnings: list[str], document: Document) -> T:
    """The object of a JSON value that came from a document. Raises BadRequest for wrong types.

    Unknown and duplicate fields are an error with field validation `Strict`, warnings with `Warn`, and ignored with
    `Ignore`.
    """
    if not isinstance(value, dict):
        raise BadRequest(f"expected an object of type {schema.name}, got {type(value).__name__}")
    unknown: list[UnknownField] = []
    try:
        obj = schema.read(value, unknown)
    except WrongType as wrong:
        raise _refused(schema.name, wrong) from wrong
    if field_validation == "Ignore":
        return obj
    duplicates = document.duplicates()
    problems = _shortened([*(str(field) for field in unknown), *duplicates])
    if problems and field_validation == "Strict":
        raise BadRequest(
            f"{schema.name} cannot be handled: strict decoding error: {', '.join(problems)}",
            causes=[Cause("FieldValueInvalid", str(field), field.path) for field in unknown[:_MAX_WARNINGS]],
        )
    warnings.extend(problems)
    return obj


def check_type(value: Any, kind: str, api_version: str) -> None:
    """Checks kind and apiVersion of a body, which may leave them out. Raises BadRequest."""
    if not isinstance(value, dict):
        raise BadRequest(f"expected an object of kind {kind}")
    for name, expected in (("kind", kind), ("apiVersion", api_version)):
        actual = value.get(name)
        # Values that are not text are reported with the wrong types of other fields.
        if isinstance(actual, str) and actual not in ("", expected):
            body = f"the body is a {value.get('kind') or kind} of {value.get('apiVersion') or api_version}"
            raise BadRequest.at(name, f"{body}, the path takes a {kind} of {api_version}")


def _shortened(sentences: Sequence[str]) -> list[str]:
    """The first sentences, within the limits of headers."""
    shortened = [
        text if len(text) <= _MAX_WARNING_LENGTH else f"{text[:_MAX_WARNING_LENGTH]}..."
        for text in sentences[:_MAX_WARNINGS]
    ]
    return shortened if len(sentences) <= _MAX_WARNINGS else [*shortened, f"and {len(sentences) - _MAX_WARNINGS} more"]


def _refused(name: str, wrong: WrongType) -> BadRequest:
    path = wrong.path if len(wrong.path) <= _MAX_WARNING_LENGTH else f"{wrong.path[:_MAX_WARNING_LENGTH]}..."
    return BadRequest(
        f"{name} cannot be handled: {path + ': ' if path else ''}{wrong.what}",
        causes=[Cause("FieldValueInvalid", wrong.what, path)],
    )
