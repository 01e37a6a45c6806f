"""Server-side apply: a PATCH whose body is the configuration that a client wants, in YAML or JSON.

The rules of the merge are in master/fieldmanager. This module reads the configuration, checks it strictly, and calls
the pipeline, which creates the object if it is missing.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from master.api.errors import ApplyConflict, BadRequest, Conflict
from master.api.pipeline.attempt import Outcome
from master.api.pipeline.metadata import check_uid
from master.api.pipeline.ownership import main_reset, part_reset, with_entries
from master.api.pipeline.pipeline import Pipeline
from master.api.pipeline.request import Permit
from master.api.rest import answers, bodies, options, versions
from master.api.rest.bodies import Document
from master.api.rest.call import Call
from master.cache import Entry
from master.fieldmanager import managers
from master.fieldmanager.applying import Application, Applied
from master.fieldmanager.conflicts import Conflicts
from master.fieldmanager.fieldset import EMPTY, FieldSet, shown
from master.fieldmanager.managers import APPLY, Manager
from master.fieldmanager.shapes import BadItem
from master.objects.meta import timestamp
from master.registry.resource import Resource
from master.registry.subresource import Part, View
from master.schema.pruning import Unclean, UnknownField, WrongType, check_clean, prune
from master.schema.schema import Schema

_encode = msgspec.json.Encoder().encode
# The objects in each object of Kubernetes that are there without anything set.
_EMPTY: Final[dict[str, Any]] = {"metadata": {}, "spec": {}, "status": {}}
_SERVER_TIMES: Final = ("creationTimestamp", "deletionTimestamp")


class Applies:
    """Answers applies."""

    def __init__(self, pipeline: Pipeline, reader: bodies.Reader) -> None:
        self._pipeline = pipeline
        self._reader = reader

    async def apply(self, call: Call) -> tuple[Outcome, bool]:
        """Applies to an object or a part of it. Returns also whether the object was created. Raises ApiError."""
        resource, part = call.route.resource, call.route.subresource
        if call.route.version.from_stored is None:
            why = f"objects of {call.route.api_version} cannot be applied; apply them as {resource.api_version}"
            raise BadRequest(why)
        permit, document = await self._begin(call)
        assert part is None or isinstance(part, Part)
        config = _config(document, call, call.route.resource.kind, call.route.api_version)
        plain = _check_types(document, call.route.version.schema, _subject(call, resource.kind))
        reset = main_reset(resource) if part is None else part_reset(resource, part)

        def applied(entry: Entry | None) -> Any:
            call.warnings.clear()
            if entry is None:
                _check_no_uid(call, config)
            result = self._applied(call, config, entry, reset)
            obj = self._quickly(resource, result.value, reset) if plain and call.route.stored else None
            if obj is None:
                obj = versions.of_value(call, document, result.value, entry.obj if entry is not None else None)
            call.identify(obj)
            if entry is None and not obj.metadata.name:
                obj = replace(obj, metadata=replace(obj.metadata, name=call.route.name))
            return with_entries(obj, managers.written(result.managers))

        version = _metadata(config).get("resourceVersion")
        expect = version if isinstance(version, str) else ""
        return await self._pipeline.apply(permit, applied, expect=expect, part=part)

    async def apply_view(self, call: Call, view: View) -> Outcome:
        """Applies to another form of an object, such as its scale. Raises ApiError."""
        permit, document = await self._begin(call)
        config = _config(document, call, view.served.kind, view.served.api_version)
        _check_types(document, view.schema, _subject(call, view.served.kind))
        body = bodies.typed(config, view.schema, call.query.field_validation, call.warnings, document)
        own = _at(config, view.path)

        def applied(entry: Entry) -> Any:
            call.warnings.clear()
            check_uid(call.route.resource, body.metadata, entry.obj.metadata)
            result = self._applied(call, own, entry, EMPTY)
            obj = versions.of_value(call, document, result.value, entry.obj)
            return with_entries(obj, managers.written(result.managers))

        outcome = await self._pipeline.change(permit, applied, expect=call.identify(body))
        assert outcome is not None
        return outcome

    async def _begin(self, call: Call) -> tuple[Permit, Document]:
        request = replace(call.change("patch", dry_run=call.query.dry_run), operation=APPLY)
        permit = await self._pipeline.authorize(request)
        options.check(call.query, "patch", applies=True)
        answers.negotiate(call.accept)
        return permit, await _document(await self._reader.read(call.http))

    def _quickly(self, resource: Resource[Any], value: dict[str, Any], reset: FieldSet) -> Any | None:
        """The object of a merged value, read in C. None if its parts need a closer look.

        An update takes times of the server and reset fields from the stored object, so they are left out.
        """
        metadata = {name: each for name, each in value["metadata"].items() if name not in _SERVER_TIMES}
        kept = {name: each for name, each in value.items() if f"f:{name}" not in reset.node}
        return resource.schema.read_plain(_encode({**kept, "metadata": metadata}))

    def _applied(self, call: Call, config: dict[str, Any], entry: Entry | None, reset: FieldSet) -> Applied:
        """The merged value in the version of the path. Raises ApplyConflict, BadRequest."""
        route = call.route
        live: dict[str, Any] = {"apiVersion": route.api_version, "kind": route.resource.kind, "metadata": {}}
        if entry is not None:
            live = route.version.schema.stored_value(answers.body(entry, route))
            live["metadata"].pop("managedFields", None)
        entries = entry.obj.metadata.managed_fields if entry is not None else ()
        application = Application(
            self._pipeline.ownership.forms(route.resource, route.version, reset),
            config,
            route.api_version,
            Manager.of(call.query.text("fieldManager"), APPLY, "", route.subresource_name),
            timestamp(self._pipeline.clock.now()),
            bool(call.query.optional_flag("force")),
        )
        try:
            return application.to(live, managers.read(entries, trusted=True), empty=_EMPTY)
        except Conflicts as conflicts:
            raise ApplyConflict.of_clashes(conflicts) from conflicts
        except BadItem as bad:
            raise BadRequest(f"{_subject(call, route.resource.kind)}: {shown(bad.path)}: {bad.why}") from bad


async def _document(body: bytes) -> Document:
    """The body, which is YAML. Most clients send JSON, which is YAML too and is read much faster."""
    if body.lstrip()[:1] == b"{":
        document = await bodies.decode(body, "application/json")
        # It may be YAML that looks like JSON at its beginning, unless it is too large for YAML.
        if len(body) > bodies.MAX_YAML_BYTES:
            return document
        with suppress(BadRequest):
            # The value is kept: it is needed soon.
            if document.value is not None:
                return document
    return await bodies.decode(body, "application/yaml")


def _config(document: Document, call: Call, kind: str, api_version: str) -> dict[str, Any]:
    """The configuration, which must be of the path's type. Raises BadRequest."""
    config = document.value
    if not isinstance(config, dict):
        raise BadRequest("error decoding patch: the body must be an object")
    sent = (config.get("apiVersion", ""), config.get("kind", ""))
    if sent != (api_version, kind):
        raise BadRequest(f"invalid object type: {sent[0]}, Kind={sent[1]}; the path takes {api_version}, Kind={kind}")
    if _metadata(config).get("managedFields") is not None:
        raise BadRequest("metadata.managedFields must be nil")
    return config


def _metadata(config: dict[str, Any]) -> dict[str, Any]:
    metadata = config.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _subject(call: Call, kind: str) -> str:
    """The beginning of messages about a configuration."""
    route = call.route
    return f"failed to create typed patch object ({route.namespace}/{route.name}; {route.api_version}, Kind={kind})"


def _check_types(document: Document, schema: Schema[Any], subject: str) -> bool:
    """Raises BadRequest for wrong types and unknown fields: no manager could own them.

    Returns whether the configuration is plain JSON (master/schema/plain.py).
    """
    if document.text is not None and schema.read_plain(document.text) is not None:
        return True
    try:
        check_clean(document.value, schema.tree)
        return False
    except Unclean:
        pass
    unknown: list[UnknownField] = []
    try:
        prune(document.value, schema.tree, unknown)
    except WrongType as wrong:
        raise BadRequest(f"{subject}: .{wrong.path}: {wrong.what}") from wrong
    if unknown:
        raise BadRequest(f"{subject}: .{unknown[0].path}: field not declared in schema")
    return False


def _check_no_uid(call: Call, config: dict[str, Any]) -> None:
    """Raises Conflict if a configuration for an object with a uid would create another one."""
    if uid := _metadata(config).get("uid"):
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise Conflict.of(call.route.resource, call.route.name, why)


def _at(config: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The configuration with the value at a path only."""
    name, *rest = path
    if name not in config:
        return {}
    value = config[name]
    return {name: _at(value, tuple(rest)) if rest and isinstance(value, dict) else value}
