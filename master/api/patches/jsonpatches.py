"""JSON patch (RFC 6902), with the limits of Kubernetes and its way of replacing and testing fields."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

import jsonpatch
import msgspec
from jsonpointer import EndOfList, JsonPointer, JsonPointerException

from master.api.errors import BadRequest, Invalid, TooLarge
from master.schema.depth import MAX_DEPTH, too_deep
from master.schema.pruning import MAX_ITEMS
from master.schema.schema import Schema

MAX_OPERATIONS: Final = 10_000
# Copies can double an object again and again, so the bytes of all copies of one patch have a limit.
MAX_COPIED_BYTES: Final = 3 << 20
# The operations that move the items of a list to other places.
_SHIFTING: Final = ("add", "remove", "move", "copy")
_TEXTS: Final = ("op", "path", "from")
_FIELDS: Final = {*_TEXTS, "value"}
_LONGEST_REASON: Final = 512
# Limits of the sentences about unknown fields, which may be sent in headers.
_LONGEST_NAME: Final = 64
_MAX_SENTENCES: Final = 20


class _Add(jsonpatch.AddOperation):
    """The value is inserted without the copy that the package makes, which takes long: no one else has it."""

    def apply(self, obj: Any) -> Any:
        parent, part = self.pointer.to_last(obj)
        if isinstance(parent, dict) and part is not None:
            parent[part] = self.operation["value"]
        elif isinstance(parent, list) and part == "-":
            parent.append(self.operation["value"])
        elif isinstance(parent, list) and isinstance(part, int) and part <= len(parent):
            parent.insert(part, self.operation["value"])
        else:
            return super().apply(obj)
        return obj


class _Replace(jsonpatch.ReplaceOperation):
    """Kubernetes also sets a field that the object does not have yet, and clients rely on it."""

    def apply(self, obj: Any) -> Any:
        parent, part = self.pointer.to_last(obj)
        if isinstance(parent, dict) and part is not None:
            parent[part] = self.operation["value"]
            return obj
        return super().apply(obj)


class _Test(jsonpatch.TestOperation):
    """As in Kubernetes, a field that the object does not have is equal to null."""

    def apply(self, obj: Any) -> Any:
        parent, part = self.pointer.to_last(obj)
        if self.operation["value"] is None and isinstance(parent, dict) and parent.get(part) is None:
            return obj
        return super().apply(obj)


_OPERATIONS: Final = {**jsonpatch.JsonPatch.operations, "add": _Add, "replace": _Replace, "test": _Test}


def apply(current: Any, patch: Any, schema: Schema[Any]) -> Any:
    """The current value with all operations applied. Changes neither of them. The schema does not matter.

    Raises BadRequest for a malformed patch, TooLarge for too many operations, Invalid if one cannot be applied.
    """
    if len(patch) > MAX_OPERATIONS:
        raise TooLarge(f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(patch)}")
    # The operations change lists and objects in place, and insert their values.
    value, operations = _copy((current, [_checked(operation) for operation in patch]))
    try:
        value = _applied(value, operations)
    except (jsonpatch.JsonPatchException, JsonPointerException) as error:
        raise _refused(str(error)) from error
    except RecursionError as error:
        raise _refused(f"its result has more than {MAX_DEPTH} levels") from error
    if too_deep(value):
        raise _refused(f"its result has more than {MAX_DEPTH} levels")
    return value


def unknown_fields(patch: Any) -> list[str]:
    """A sentence about each of the first fields of operations that have no meaning."""
    sentences = (
        f'json patch unknown field "[{index}].{name[:_LONGEST_NAME]}"'
        for index, operation in enumerate(patch)
        for name in operation
        if name not in _FIELDS
    )
    return list(islice(sentences, _MAX_SENTENCES))


def _applied(value: Any, operations: list[dict[str, Any]]) -> Any:
    copied = 0
    for operation in operations:
        if operation["op"] in _SHIFTING:
            _check_lists(value, operation)
        if operation["op"] == "copy":
            found = JsonPointer(operation["from"]).resolve(value)
            if isinstance(found, EndOfList):
                raise _refused(f"there is nothing at {operation['from']}")
            source = msgspec.json.encode(found)
            copied += len(source)
            if copied > MAX_COPIED_BYTES:
                raise _refused(f"its copies have more than {MAX_COPIED_BYTES >> 20} MiB")
            operation = {"op": "add", "path": operation["path"], "value": msgspec.json.decode(source)}
        value = _OPERATIONS[operation["op"]](operation).apply(value)
    return value


def _check_lists(value: Any, operation: dict[str, Any]) -> None:
    """Raises Invalid if the operation shifts the items of a list that is longer than any list of an object.

    Each such operation takes time in proportion to the list, and a patch may have thousands of them.
    """
    for name in ("path", "from") if operation["op"] == "move" else ("path",):
        parent, part = JsonPointer(operation[name]).to_last(value)
        if isinstance(parent, list) and part != "-" and len(parent) > MAX_ITEMS:
            raise _refused(f"the list at {operation[name]} has more than {MAX_ITEMS} items")


def _copy(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def _checked(operation: Any) -> dict[str, Any]:
    """An operation with a value, which is null if it is not given. Raises BadRequest, Invalid."""
    if not isinstance(operation, dict):
        raise BadRequest("error decoding patch: an operation must be an object")
    for name in _TEXTS:
        if not isinstance(operation.get(name, ""), str):
            raise BadRequest(f"error decoding patch: {name} must be a string")
    kind = operation.get("op", "")
    if kind not in _OPERATIONS:
        raise _refused(f"unexpected kind of operation: {kind or 'none'}")
    for name in ("path", "from") if kind in ("copy", "move") else ("path",):
        if name not in operation:
            raise _refused(f"{kind} operation: missing {name}")
        if operation[name].count("/") > MAX_DEPTH:
            raise _refused(f"{kind} operation: {name} has more than {MAX_DEPTH} levels")
    return {"value": None, **operation}


def _refused(why: str) -> Invalid:
    return Invalid(f"the server rejected our request due to an error in our request: {why[:_LONGEST_REASON]}")
