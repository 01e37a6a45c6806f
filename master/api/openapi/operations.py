"""Operations: what can be done at each path, before it is written in one of the versions of OpenAPI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from master.api.openapi import names
from master.api.openapi.catalog import Catalog, GroupVersionKind, kind_of
from master.api.patches.formats import accepted
from master.api.rest.bodies import APPLY
from master.registry.resource import Resource, Version
from master.registry.subresource import Connection, Proxy, Subresource, View
from master.schema.schema import Schema


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query or the path."""

    name: str
    description: str
    type: Literal["string", "integer", "boolean"] = "string"
    within: Literal["query", "path"] = "query"

    def document(self, **type_: Any) -> dict[str, Any]:
        """The parameter as both versions write it. `type_`: its type, as one of them writes it."""
        written = {"name": self.name, "in": self.within, "description": self.description, **type_}
        return {**written, "required": True} if self.within == "path" else written


NAME: Final = Parameter("name", "The name of the object.", within="path")
REST: Final = Parameter("path", "The rest of the path, which is that of the request to the object.", within="path")
NAMESPACE: Final = Parameter("namespace", "The namespace of the object.", within="path")
_DRY_RUN: Final = Parameter("dryRun", "All: nothing is stored. The response is the same as otherwise.")
_MANAGER: Final = Parameter("fieldManager", "The name under which the fields are recorded that the request sets.")
_VALIDATION: Final = Parameter(
    "fieldValidation", "What unknown and duplicate fields lead to. Ignore: nothing; Warn: warnings; Strict: an error."
)
_FORCE: Final = Parameter("force", "An apply takes over the fields that others manage.", "boolean")
_WRITE: Final = (_DRY_RUN, _MANAGER, _VALIDATION)
_DELETE: Final = (
    _DRY_RUN,
    Parameter("gracePeriodSeconds", "The time in seconds that the object has to end.", "integer"),
    Parameter("orphanDependents", "Dependent objects stay. Use propagationPolicy instead.", "boolean"),
    Parameter("propagationPolicy", "What happens to dependent objects: Background, Foreground or Orphan."),
)
_SELECT: Final = (
    Parameter("continue", "The token of the page before, for the next page of a list."),
    Parameter("fieldSelector", "Only objects with these values of fields: metadata.name=a."),
    Parameter("labelSelector", "Only objects with these labels: app=web,tier!=test."),
    Parameter("limit", "The most objects of one page of a list.", "integer"),
    Parameter("resourceVersion", "The version that a list must have at least, or after which a watch begins."),
    Parameter("resourceVersionMatch", "NotOlderThan: resourceVersion is the least version. Exact: it is the version."),
)
_WATCH: Final = (
    Parameter("allowWatchBookmarks", "A watch gets bookmarks, which have a version and no object.", "boolean"),
    Parameter("sendInitialEvents", "A watch begins with the present objects, followed by a bookmark.", "boolean"),
    Parameter("timeoutSeconds", "The time in seconds after which the server ends the watch.", "integer"),
    Parameter("watch", "The response is a stream of changes instead of a list.", "boolean"),
)

Method = Literal["get", "put", "post", "delete", "patch"]


@dataclass(frozen=True, slots=True)
class Verb:
    """How a verb of a resource is written: `word` begins the operation's id, `action` is Kubernetes' name for it."""

    method: Method
    word: str
    action: str
    description: str
    parameters: tuple[Parameter, ...] = ()
    codes: tuple[int, ...] = (200,)


_VERBS: Final = {
    "get": Verb("get", "read", "get", "Reads {}."),
    "update": Verb("put", "replace", "put", "Replaces {}.", _WRITE, (200, 201)),
    "patch": Verb("patch", "patch", "patch", "Changes parts of {}.", (*_WRITE, _FORCE), (200, 201)),
    "delete": Verb("delete", "delete", "delete", "Deletes {}.", _DELETE, (200, 202)),
    "list": Verb("get", "list", "list", "Lists or watches all objects of the kind {}.", (*_SELECT, *_WATCH)),
    "create": Verb("post", "create", "post", "Creates {}.", _WRITE, (200, 201, 202)),
    "deletecollection": Verb(
        "delete", "delete", "deletecollection", "Deletes the selected objects of the kind {}.", (*_DELETE, *_SELECT)
    ),
}
_CONNECT: Final = {
    "get": Verb("get", "connect", "connect", "Connects to {}."),
    "create": Verb("post", "connect", "connect", "Connects to {}."),
    "update": Verb("put", "connect", "connect", "Connects to {}."),
    "patch": Verb("patch", "connect", "connect", "Connects to {}."),
    "delete": Verb("delete", "connect", "connect", "Connects to {}."),
}
_OF_OBJECT: Final = ("get", "update", "patch", "delete")
_OF_COLLECTION: Final = ("list", "create", "deletecollection")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one path. `body` and `response` name definitions; an empty response is text, such as a log.

    `media`: the media types of the body.
    """

    id: str
    tag: str
    verb: Verb
    description: str
    kind: GroupVersionKind
    response: str
    body: str
    media: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """A path with its parameters."""

    path: str
    parameters: tuple[Parameter, ...]
    operations: tuple[Operation, ...]


def paths_of(catalog: Catalog, resource: Resource[Any], version: Version) -> Iterator[Path]:
    """The paths of a resource in one version, with its subresources."""
    yield from _Writer(catalog, resource, version).paths()


class _Writer:
    def __init__(self, catalog: Catalog, resource: Resource[Any], version: Version) -> None:
        self._catalog = catalog
        self._resource = resource
        self._version = version
        self._root = catalog.root(resource, version)

    def paths(self) -> Iterator[Path]:
        resource = self._resource
        group = resource.group_of(self._version)
        prefix = f"/apis/{group}" if group else "/api"
        everywhere = f"{prefix}/{self._version.name}/{resource.plural}"
        inside: tuple[Parameter, ...] = ()
        collection = everywhere
        if resource.namespaced:
            inside = (NAMESPACE,)
            collection = f"{prefix}/{self._version.name}/namespaces/{{namespace}}/{resource.plural}"
            if "list" in resource.verbs:
                yield Path(everywhere, (), (self._operation("list", suffix="ForAllNamespaces", namespaced=False),))
        yield from self._path(collection, inside, [self._operation(verb) for verb in self._have(_OF_COLLECTION)])
        one = (NAME, *inside)
        yield from self._path(f"{collection}/{{name}}", one, [self._operation(verb) for verb in self._have(_OF_OBJECT)])
        for subresource in resource.subresources:
            operations = [self._part(subresource, verb) for verb in subresource.verbs]
            path = f"{collection}/{{name}}/{subresource.name}"
            yield from self._path(path, one, operations)
            if isinstance(subresource, Proxy):
                further = [self._part(subresource, verb, scope="WithPath") for verb in subresource.verbs]
                yield from self._path(f"{path}/{{path}}", (*one, REST), further)

    def _path(self, path: str, parameters: tuple[Parameter, ...], operations: list[Operation]) -> Iterator[Path]:
        if operations:
            yield Path(path, parameters, tuple(operations))

    def _have(self, verbs: tuple[str, ...]) -> list[str]:
        return [verb for verb in verbs if verb in self._resource.verbs]

    def _operation(self, name: str, *, suffix: str = "", namespaced: bool = True) -> Operation:
        verb, kind = _VERBS[name], self._resource.kind
        scope = "Collection" if name == "deletecollection" else ""
        response = {"list": f"{self._root}List", "deletecollection": f"{names.META}.Status"}.get(name, self._root)
        if name == "delete" and not self._resource.deletion.answers_with_object:
            response = f"{names.META}.Status"
        text = kind if name in ("list", "deletecollection") else f"one {kind}"
        return Operation(
            self._id(verb, scope, kind, suffix, namespaced=namespaced and self._resource.namespaced),
            names.tag(self._resource.group_of(self._version), self._version.name),
            verb,
            verb.description.format(text),
            kind_of(self._resource, self._version, None),
            response,
            self._body(name, self._root),
            self._media(name, self._version.schema),
        )

    def _part(self, subresource: Subresource, name: str, *, scope: str = "") -> Operation:
        text = isinstance(subresource, Connection | Proxy)
        # A stream that can only be read, such as a log, is read like anything else.
        connects = text and subresource.verbs != ("get",)
        verb = _CONNECT[name] if connects else _VERBS[name]
        method = verb.method.capitalize() if connects else ""
        kind = self._resource.kind
        root = "" if text else self._catalog.root(self._resource, self._version, subresource)
        suffix = subresource.name[:1].upper() + subresource.name[1:] + scope
        return Operation(
            self._id(verb, method, kind, suffix, namespaced=self._resource.namespaced),
            names.tag(self._resource.group_of(self._version), self._version.name),
            verb,
            verb.description.format(f"the subresource {subresource.name} of one {kind}"),
            kind_of(self._resource, self._version, subresource),
            root,
            "" if text else self._body(name, root),
            ("*/*",)
            if text
            else self._media(name, subresource.schema if isinstance(subresource, View) else self._version.schema),
        )

    def _id(self, verb: Verb, scope: str, kind: str, suffix: str, *, namespaced: bool) -> str:
        version = self._version.name
        api = f"{names.operation_group(self._resource.group_of(self._version))}{version[:1].upper()}{version[1:]}"
        return f"{verb.word}{api}{scope}{'Namespaced' if namespaced else ''}{kind}{suffix}"

    def _media(self, name: str, schema: Schema[Any]) -> tuple[str, ...]:
        return (*accepted(schema), APPLY) if name == "patch" else ("*/*",)

    def _body(self, name: str, root: str) -> str:
        match name:
            case "create" | "update":
                return root
            case "patch":
                return names.PATCH
            case "delete" | "deletecollection":
                return f"{names.META}.DeleteOptions"
            case _:
                return ""
