"""Reads manifests: YAML or JSON files with one or more documents, as people write them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from client.errors import BadManifest
from client.rest import Document


@dataclass(frozen=True, slots=True)
class Manifest:
    """One document that looks like an object. `source` names its file, and its number in the file."""

    document: Document
    source: str


def read(path: Path) -> list[Manifest]:
    """The documents of a file without empty ones. Raises BadManifest with the place of the error."""
    try:
        text = path.read_text()
    except OSError as error:
        raise BadManifest(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadManifest(f"{path} is not a text file: {error.reason} at byte {error.start}") from error
    return parse(text, str(path))


def parse(text: str, source: str) -> list[Manifest]:
    """Like `read`, but from text. A `List` becomes its items."""
    import yaml

    try:
        documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as error:
        raise BadManifest(f"{source}: {_place(error)}") from error
    manifests = []
    for number, document in enumerate(documents, start=1):
        if document is not None:
            where = f"{source}, document {number}" if len(documents) > 1 else source
            manifests += [Manifest(checked, where) for checked in _objects(_as_json(document, where), where)]
    if not manifests:
        raise BadManifest(f"{source} contains no object")
    return manifests


def _as_json(document: Any, where: str) -> Any:
    """The document as the API will see it: dates become text, numeric keys strings. Refuses what JSON
    cannot express.
    """
    try:
        return json.loads(json.dumps(document, default=_text, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadManifest(f"{where}: cannot be written as JSON: {error}") from error


def _text(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"a value of type {type(value).__name__}")


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


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or " ".join(str(error).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else str(problem)
