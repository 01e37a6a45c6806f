"""Reads manifests: YAML or JSON files with one or more documents, as people write them and kubectl reads them."""

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client.errors import BadManifest
from client.rest import Document

_BLANK = re.compile(r"\s*")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One document that looks like an object. `source` names its file, and its number in the file."""

    document: Document
    source: str


def read(path: Path) -> list[Manifest]:
    """The documents of a file without empty ones. Raises BadManifest with the place of the error."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadManifest(f"cannot read {path}: {error.strerror}") from error
    try:
        text = content.decode("utf-16" if content.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadManifest(f"{path} is not a text file: {error.reason} at byte {error.start}") from error
    return parse(text, str(path))


def parse(text: str, source: str) -> list[Manifest]:
    """Like `read`, but from text. A `List` becomes its items."""
    from client.yamltext import BadYaml

    try:
        documents = list(_documents(text))
    except BadYaml as error:
        raise BadManifest(f"{source}: {error}") from error
    manifests = []
    for number, document in enumerate(documents, start=1):
        if document is not None:
            where = f"{source}, document {number}" if len(documents) > 1 else source
            manifests += [Manifest(checked, where) for checked in _objects(document, where)]
    if not manifests:
        raise BadManifest(f"{source} contains no object")
    return manifests


def _documents(text: str) -> list[Any]:
    """A text that begins with `{` is a sequence of JSON objects up to the first error; the rest is YAML.

    Raises BadYaml.
    """
    from client.yamltext import documents

    values, end = _json_objects(text)
    rest = text[end:]
    if values and not rest.strip():
        return values
    # The empty lines keep the numbers of the lines.
    return values + [document.value for document in documents("\n" * text.count("\n", 0, end) + rest)]


def _json_objects(text: str) -> tuple[list[Any], int]:
    """The values at the beginning of the text, and where they end."""
    from client.yamltext import json_float, json_integer

    decoder = json.JSONDecoder(parse_float=json_float, parse_int=json_integer, parse_constant=json_float)
    values: list[Any] = []
    end = 0
    if text.lstrip().startswith("{"):
        with suppress(ValueError, RecursionError):
            while True:
                value, end = decoder.raw_decode(text, _BLANK.match(text, end).end())  # type: ignore[union-attr]
                values.append(value)
    return values, end


def _objects(document: Any, where: str) -> Iterator[Document]:
    if not isinstance(document, dict):
        raise BadManifest(f"{where}: expected an object, not {type(document).__name__}")
    for field in ("apiVersion", "kind"):
        if not isinstance(document.get(field), str) or not document[field]:
            raise BadManifest(f"{where}: {field} is missing")
    if document["kind"] == "List":
        for item in document.get("items") or []:
            yield from _objects(item, where)
        return
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not (metadata.get("name") or metadata.get("generateName")):
        raise BadManifest(f"{where}: metadata.name is missing")
    for field in ("name", "generateName", "namespace"):
        if not isinstance(metadata.get(field, ""), str):
            raise BadManifest(f"{where}: metadata.{field} must be text, not {json.dumps(metadata[field])}: quote it")
    yield document
